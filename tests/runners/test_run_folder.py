"""Two starts of a run must agree on what it is, and may differ in how it is reached."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lavis.common.errors import ConfigError
from lavis.runners.run_folder import RunFolder, open_run_folder

CONFIG: dict[str, Any] = {
    "model": {"selector": {"type": "rules"}, "reasoner": {"type": "openai", "base_url": "http://a", "model": "m"}},
    "datasets": {"sqa3d": {"type": "default"}},
    "run": {"task": "mexa_qa", "limit": 5},
}


def changed(*path: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    node = config
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return config


def opened(output_dir: Path, run_id: str, config: dict[str, Any]) -> RunFolder:
    """Open a run's folder as a start does that then ends."""
    folder, lease = open_run_folder(output_dir, run_id, config)
    lease.give_back()
    return folder


def test_a_run_opened_again_keeps_its_marker_and_forgets_how_ranks_ended(tmp_path: Path) -> None:
    first = opened(tmp_path, "one", CONFIG)
    ended = [first.done(0), first.failed(1), first.stopped(2), first.alive(3)]
    for path in ended:
        path.write_text("why")
    journal = first.journal / "rank0.jsonl"
    journal.write_text("kept")
    again = opened(tmp_path, "one", CONFIG)
    assert again.marker == first.marker
    assert [path for path in ended if path.exists()] == []
    assert journal.read_text() == "kept"
    assert opened(tmp_path, "two", CONFIG).marker != first.marker


def test_a_folder_that_is_being_run_is_left_as_it_is(tmp_path: Path) -> None:
    folder, lease = open_run_folder(tmp_path, "one", CONFIG)
    folder.done(0).write_text("")
    try:
        with pytest.raises(ConfigError, match=r"being run just now by process \d+.*another run\.run_id"):
            open_run_folder(tmp_path, "one", CONFIG)
        assert folder.done(0).exists()
    finally:
        lease.give_back()


def test_a_refused_configuration_leaves_the_folder_free(tmp_path: Path) -> None:
    opened(tmp_path, "one", CONFIG)
    with pytest.raises(ConfigError, match=r"model\.selector"):
        open_run_folder(tmp_path, "one", changed("model", "selector", "type", value="all"))
    assert opened(tmp_path, "one", CONFIG).marker


def test_a_place_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    """A folder below a file can be made by nobody, root included."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/out/one cannot be written \(Not a directory\): set run\.output_dir"):
        open_run_folder(tmp_path / "file" / "out", "one", CONFIG)


@pytest.mark.parametrize(
    "config",
    [
        changed("run", "limit", value=None),
        changed("model", "reasoner", "base_url", value="http://b"),
        changed("model", "reasoner", "max_connections", value=64),
        changed("model", "prices_usd_per_mtok", value={"m": {"input": 1.0, "output": 1.0}}),
        changed("model", "reading", value={"n_workers": 3}),
        changed("run", "budget", value={"max_tokens": 5}),
    ],
)
def test_reach_and_size_may_change(tmp_path: Path, config: dict[str, Any]) -> None:
    marker = opened(tmp_path, "one", CONFIG).marker
    assert opened(tmp_path, "one", config).marker == marker


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (changed("model", "selector", "type", value="all"), "model.selector.type"),
        (changed("model", "reasoner", "model", value="n"), "model.reasoner.model"),
        (changed("datasets", "sqa3d", "type", value="sample"), "datasets.sqa3d.type"),
        (changed("run", "task", value="other"), "task"),
    ],
)
def test_what_decides_answers_may_not(tmp_path: Path, config: dict[str, Any], place: str) -> None:
    opened(tmp_path, "one", CONFIG)
    with pytest.raises(ConfigError, match=place):
        open_run_folder(tmp_path, "one", config)


@pytest.mark.parametrize("run_id", ["../up", "a/b", "", ".hidden", "a b"])
def test_a_run_id_is_a_folder_name(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ConfigError, match="folder name"):
        open_run_folder(tmp_path / "out", run_id, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_the_kept_configuration_hides_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-0123456789abc")
    folder = opened(tmp_path, "one", changed("model", "reasoner", "extra", value="sk-0123456789abc"))
    text = (folder.root / "config.yaml").read_text()
    assert "sk-0123456789abc" not in text
    assert yaml.safe_load(text)["run"]["limit"] == 5
