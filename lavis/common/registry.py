"""The registry: names to classes, imported when first asked for."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any, ClassVar, TypeVar

from lavis.common.entries import ENTRIES
from lavis.common.errors import ConfigError, unknown_name

Registered = TypeVar("Registered")

# Kinds whose classes must inherit from a base, with the place of that base.
BASES = {
    "builder": "lavis.datasets.builders.base_dataset_builder:BaseDatasetBuilder",
    "task": "lavis.tasks.base_task:BaseTask",
    "processor": "lavis.processors.base_processor:BaseProcessor",
    "model": "lavis.models.base_model:BaseModel",
    "loader": "lavis.datasets.loaders.base:Loader",
    "extractor": "lavis.extract.base:Extractor",
    "expert": "lavis.experts.base:Expert",
    "selector": "lavis.models.mexa_models.selectors:Selector",
    "reasoner": "lavis.reasoners.base:Reasoner",
}
# Entry points named "<kind>.<name>", and those of one kind that are named by their name alone.
ENTRY_POINT_GROUP = "lavis.entries"
KIND_GROUPS = {"lavis.experts": "expert"}


def import_place(place: str) -> Any:
    """Import ``"package.module:attribute"`` and return the attribute."""
    module_name, _, attribute = place.partition(":")
    if not attribute:
        raise ConfigError(f"{place!r} is not a place: write it as 'package.module:Name'.")
    return getattr(importlib.import_module(module_name), attribute)


class LazyNames(dict[str, Any]):
    """A mapping whose values are given as places and become classes when they are read."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, str):
            value = import_place(value)
            super().__setitem__(name, value)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return the class of ``name``, importing it if need be, or ``default``."""
        return self[name] if name in self else default

    def values(self) -> Any:
        """Return every class; imports what was not imported yet."""
        return [self[name] for name in self]

    def items(self) -> Any:
        """Return every (name, class) pair; imports what was not imported yet."""
        return [(name, self[name]) for name in self]

    def place_of(self, name: str) -> str:
        """Return ``module:qualified name`` of an entry without importing it."""
        value = super().__getitem__(name)
        return value if isinstance(value, str) else _place(value)


def _place(obj: Any) -> str:
    return f"{obj.__module__}:{obj.__qualname__}"


def _fresh_mapping() -> dict[str, Any]:
    mapping: dict[str, Any] = {f"{kind}_name_mapping": LazyNames(names) for kind, names in ENTRIES.items()}
    mapping["state"] = {}
    mapping["paths"] = {}
    return mapping


class Registry:
    """Names of builders, tasks, processors, models, experts … and a little shared state.

    LAVIS's contract: ``get_<kind>_class`` answers None for an unknown name. Callers inside the
    package use :meth:`require`, which raises with the nearest name instead.
    """

    mapping: ClassVar[dict[str, Any]] = _fresh_mapping()
    _entry_points_read: ClassVar[bool] = False

    # -- by kind ---------------------------------------------------------------------------

    @classmethod
    def names_of(cls, kind: str) -> LazyNames:
        """Return the mapping of one kind ("model", "expert", …), entry points included."""
        cls._read_entry_points()
        names: LazyNames = cls.mapping[f"{kind}_name_mapping"]
        return names

    @classmethod
    def list_names(cls, kind: str) -> list[str]:
        """Return the sorted names of one kind; imports nothing."""
        return sorted(cls.names_of(kind))

    @classmethod
    def require(cls, kind: str, name: str) -> Any:
        """Return the class of ``name``.

        Raises:
            UnknownNameError: nothing of that kind carries the name; the nearest one is named.
        """
        names = cls.names_of(kind)
        if name not in names:
            raise unknown_name(kind, name, names)
        return names[name]

    @classmethod
    def add(cls, kind: str, name: str, obj: Any) -> None:
        """Register a class (or a place, ``"module:Class"``) under a name.

        The same class may be registered again: a reload, or an import repeated in a notebook,
        replaces it.

        Raises:
            AssertionError: the class does not inherit the base of its kind.
            KeyError: another class carries the name.
        """
        place = obj if isinstance(obj, str) else _place(obj)
        base_place = BASES.get(kind)
        if base_place is not None and not isinstance(obj, str):
            base = import_place(base_place)
            if not (isinstance(obj, type) and issubclass(obj, base)):
                raise AssertionError(f"All {kind}s must inherit {base.__name__} class; {place} does not.")
        names: LazyNames = cls.mapping[f"{kind}_name_mapping"]
        if name in names and names.place_of(name) != place:
            raise KeyError(f"Name '{name}' already registered for {names.place_of(name)}.")
        names[name] = obj

    @classmethod
    def _decorator(cls, kind: str, name: str) -> Callable[[Registered], Registered]:
        def register(obj: Registered) -> Registered:
            cls.add(kind, name, obj)
            return obj

        return register

    @classmethod
    def _read_entry_points(cls) -> None:
        if cls._entry_points_read:
            return
        cls._entry_points_read = True
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            kind, _, name = entry.name.partition(".")
            if f"{kind}_name_mapping" not in cls.mapping or not name:
                logging.getLogger(__name__).warning(
                    "Entry point %r ignored: name it '<kind>.<name>', kind one of %s.", entry.name, ", ".join(ENTRIES)
                )
                continue
            cls.add(kind, name, entry.value)
        for group, kind in KIND_GROUPS.items():
            for entry in entry_points(group=group):
                cls.add(kind, entry.name, entry.value)

    # -- decorators ------------------------------------------------------------------------

    @classmethod
    def register_builder(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a dataset builder class."""
        return cls._decorator("builder", name)

    @classmethod
    def register_task(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a task class."""
        return cls._decorator("task", name)

    @classmethod
    def register_model(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a model class."""
        return cls._decorator("model", name)

    @classmethod
    def register_processor(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a processor class."""
        return cls._decorator("processor", name)

    @classmethod
    def register_lr_scheduler(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a learning-rate schedule class."""
        return cls._decorator("lr_scheduler", name)

    @classmethod
    def register_runner(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a runner class."""
        return cls._decorator("runner", name)

    @classmethod
    def register_loader(cls, name: str) -> Callable[[Registered], Registered]:
        """Register the loader of a modality."""
        return cls._decorator("loader", name)

    @classmethod
    def register_expert(cls, name: str) -> Callable[[Registered], Registered]:
        """Register an expert class."""
        return cls._decorator("expert", name)

    @classmethod
    def register_selector(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a selector class."""
        return cls._decorator("selector", name)

    @classmethod
    def register_reasoner(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a reasoner class."""
        return cls._decorator("reasoner", name)

    @classmethod
    def register_filter(cls, name: str) -> Callable[[Registered], Registered]:
        """Register an answer filter (a function)."""
        return cls._decorator("filter", name)

    @classmethod
    def register_metric(cls, name: str) -> Callable[[Registered], Registered]:
        """Register a metric (a function)."""
        return cls._decorator("metric", name)

    # -- LAVIS's getters: None for an unknown name -------------------------------------------

    @classmethod
    def get_builder_class(cls, name: str) -> Any:
        """Return the builder class of ``name``, or None."""
        return cls.names_of("builder").get(name)

    @classmethod
    def get_model_class(cls, name: str) -> Any:
        """Return the model class of ``name``, or None."""
        return cls.names_of("model").get(name)

    @classmethod
    def get_task_class(cls, name: str) -> Any:
        """Return the task class of ``name``, or None."""
        return cls.names_of("task").get(name)

    @classmethod
    def get_processor_class(cls, name: str) -> Any:
        """Return the processor class of ``name``, or None."""
        return cls.names_of("processor").get(name)

    @classmethod
    def get_lr_scheduler_class(cls, name: str) -> Any:
        """Return the schedule class of ``name``, or None."""
        return cls.names_of("lr_scheduler").get(name)

    @classmethod
    def get_runner_class(cls, name: str) -> Any:
        """Return the runner class of ``name``, or None."""
        return cls.names_of("runner").get(name)

    @classmethod
    def list_runners(cls) -> list[str]:
        """Return the sorted names of the runners."""
        return cls.list_names("runner")

    @classmethod
    def list_models(cls) -> list[str]:
        """Return the sorted names of the models."""
        return cls.list_names("model")

    @classmethod
    def list_tasks(cls) -> list[str]:
        """Return the sorted names of the tasks."""
        return cls.list_names("task")

    @classmethod
    def list_processors(cls) -> list[str]:
        """Return the sorted names of the processors."""
        return cls.list_names("processor")

    @classmethod
    def list_lr_schedulers(cls) -> list[str]:
        """Return the sorted names of the learning-rate schedules."""
        return cls.list_names("lr_scheduler")

    @classmethod
    def list_datasets(cls) -> list[str]:
        """Return the sorted names of the dataset builders."""
        return cls.list_names("builder")

    # -- paths and state ---------------------------------------------------------------------

    @classmethod
    def register_path(cls, name: str, path: str, *, overwrite: bool = False) -> None:
        """Keep a path under a name.

        Raises:
            AssertionError: the path is not a str.
            KeyError: the name is taken; a runner passes ``overwrite`` for its own output paths.
        """
        if not isinstance(path, str):
            raise AssertionError(f"All paths must be str; {name!r} is {type(path).__name__}.")
        paths = cls.mapping["paths"]
        if name in paths and not overwrite:
            raise KeyError(f"Name '{name}' already registered for {paths[name]}.")
        paths[name] = path

    @classmethod
    def get_path(cls, name: str) -> str | None:
        """Return the path kept under ``name``, or None."""
        path: str | None = cls.mapping["paths"].get(name)
        return path

    @classmethod
    def register(cls, name: str, obj: Any) -> None:
        """Keep an object in the shared state; dots in the name make nested dicts.

        Raises:
            KeyError: a part of the name holds something else than a dict.
        """
        *parents, leaf = name.split(".")
        node = cls.mapping["state"]
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise KeyError(f"{name!r} cannot be kept: {parent!r} holds a {type(node).__name__}; unregister it.")
        node[leaf] = obj

    @classmethod
    def get(cls, name: str, default: Any = None, no_warning: bool = False) -> Any:
        """Return an object of the shared state by its dotted name, or ``default`` with a warning."""
        node: Any = cls.mapping["state"]
        for part in name.split("."):
            if not isinstance(node, dict) or part not in node:
                if default is None and not no_warning:
                    logging.getLogger(__name__).warning("Nothing is registered as %r; None is used.", name)
                return default
            node = node[part]
        return node

    @classmethod
    def unregister(cls, name: str) -> Any:
        """Remove and return a top-level key of the shared state, or None."""
        return cls.mapping["state"].pop(name, None)

    @classmethod
    def kinds(cls) -> Iterator[str]:
        """Yield every kind of name."""
        return (key.removesuffix("_name_mapping") for key in cls.mapping if key.endswith("_name_mapping"))


registry = Registry()
