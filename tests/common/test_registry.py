"""The registry: LAVIS's contract, complete without imports, forgiving of reloads."""

from __future__ import annotations

import importlib
import logging
import sys
import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lavis.common.entries import ENTRIES
from lavis.common.errors import ConfigError, UnknownNameError
from lavis.common.registry import LazyNames, Registry, import_place, registry
from lavis.processors import BaseProcessor

LAVIS_KINDS = ("builder", "task", "processor", "model", "lr_scheduler", "runner")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    kept = {key: (type(value)(dict.items(value)), value) for key, value in Registry.mapping.items()}
    yield
    for before, value in kept.values():
        value.clear()
        for name in before:
            dict.__setitem__(value, name, dict.__getitem__(before, name))


def test_the_store_has_lavis_keys() -> None:
    keys = {f"{kind}_name_mapping" for kind in LAVIS_KINDS} | {"state", "paths"}
    assert keys <= set(registry.mapping)
    assert registry.mapping is Registry.mapping


@pytest.mark.parametrize("kind", ENTRIES)
def test_every_listed_module_exists(kind: str) -> None:
    """Found, not imported: optional packages need not be there."""
    for name, place in ENTRIES[kind].items():
        module, _, attribute = place.partition(":")
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None, f"{kind} {name}: {module}"
        assert attribute in Path(spec.origin).read_text(encoding="utf-8"), f"{kind} {name}: {place}"


@pytest.mark.parametrize("kind", LAVIS_KINDS)
def test_getters_answer_none_and_internal_callers_raise(kind: str) -> None:
    assert getattr(registry, f"get_{kind}_class")("no_such_name") is None
    with pytest.raises(UnknownNameError, match="no_such_name"):
        registry.require(kind, "no_such_name")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'blip_questoin'\. Did you mean 'blip_question'\?"):
        registry.require("processor", "blip_questoin")


def test_lists_are_sorted_and_hold_what_is_registered_now() -> None:
    @registry.register_processor("aaa_first")
    class First(BaseProcessor):
        pass

    names = registry.list_processors()
    assert names[0] == "aaa_first" and names == sorted(names) and "blip_question" in names
    assert registry.get_processor_class("aaa_first") is First
    assert registry.list_datasets() == registry.list_names("builder")


@pytest.mark.parametrize("kind", ["builder", "task", "processor", "model"])
def test_a_class_without_the_base_is_refused(kind: str) -> None:
    with pytest.raises(AssertionError, match=f"All {kind}s must inherit"):
        getattr(registry, f"register_{kind}")("stranger")(dict)
    assert "stranger" not in registry.list_names(kind)


def test_runners_and_schedules_need_no_base() -> None:
    class Own:
        pass

    assert registry.register_runner("own_runner")(Own) is Own
    assert registry.register_lr_scheduler("own_lr")(Own) is Own
    assert registry.get_runner_class("own_runner") is Own
    assert "own_lr" in registry.list_lr_schedulers()


def test_another_class_under_a_taken_name_is_refused() -> None:
    with pytest.raises(KeyError, match=r"Name 'blip_question' already registered for lavis\.processors"):

        @registry.register_processor("blip_question")
        class Other(BaseProcessor):
            pass


MODULE = """
from lavis.common.registry import registry
from lavis.processors import BaseProcessor

@registry.register_processor("reloaded")
class Reloaded(BaseProcessor):
    pass
{tail}
"""


def test_a_module_may_be_reloaded_and_imported_again_after_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook: an error below the class, repaired, imported again, reloaded."""
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "own_processors_of_a_test.py"
    path.write_text(MODULE.format(tail="raise RuntimeError('typo')"))
    with pytest.raises(RuntimeError, match="typo"):
        importlib.import_module(path.stem)
    path.write_text(MODULE.format(tail="VERSION = 2"))
    importlib.invalidate_caches()
    module: Any = importlib.import_module(path.stem)
    module = importlib.reload(module)
    assert registry.get_processor_class("reloaded") is module.Reloaded
    del sys.modules[path.stem]


def test_a_place_is_imported_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "lazy_thing_of_a_test.py").write_text(textwrap.dedent("class Thing: pass"))
    names = LazyNames({"thing": "lazy_thing_of_a_test:Thing"})
    assert list(names) == ["thing"] and "lazy_thing_of_a_test" not in sys.modules
    assert names.get("none") is None and names.place_of("thing") == "lazy_thing_of_a_test:Thing"
    thing = names["thing"]
    assert thing is sys.modules["lazy_thing_of_a_test"].Thing
    assert names.values() == [thing] and names.items() == [("thing", thing)]
    with pytest.raises(ConfigError, match=r"package\.module:Name"):
        import_place("no_colon")


# -- paths and state -------------------------------------------------------------------------


def test_a_path_is_kept_once_but_a_runner_may_replace_its_own() -> None:
    registry.register_path("a_path", "/one")
    with pytest.raises(KeyError, match="'a_path' already registered for /one"):
        registry.register_path("a_path", "/two")
    registry.register_path("a_path", "/two", overwrite=True)
    assert registry.get_path("a_path") == "/two"
    assert registry.get_path("no_path") is None
    with pytest.raises(AssertionError, match="All paths must be str"):
        registry.register_path("b_path", Path("/one"))  # type: ignore[arg-type]


def test_state_is_nested_by_dots_and_overwritten_silently() -> None:
    registry.register("a.b.c", 1)
    registry.register("a.b.d", 2)
    registry.register("a.b.d", 3)
    assert registry.get("a.b.c") == 1
    assert registry.get("a") == {"b": {"c": 1, "d": 3}}
    assert registry.unregister("a") == {"b": {"c": 1, "d": 3}}
    assert registry.unregister("a") is None


def test_what_is_not_there_warns_unless_told_not_to(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert registry.get("x.y", default=5) == 5
        assert registry.get("x.y", no_warning=True) is None
        assert caplog.text == ""
        assert registry.get("x.y") is None
        assert "'x.y'" in caplog.text


def test_a_value_in_the_way_of_a_nested_name_is_named() -> None:
    """Not a TypeError about int somewhere inside."""
    registry.register("leaf", 1)
    with pytest.raises(KeyError, match="leaf"):
        registry.register("leaf.below", 2)
    assert registry.get("leaf") == 1
