"""Data sets by name, without a run: what exists, and one built from its default configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import load_dataset_config


def load_dataset(
    name: str, cfg_path: str | None = None, vis_path: str | None = None, data_type: str | None = None
) -> dict[str, Any]:
    """Build a data set.

    Args:
        name: its registry name.
        cfg_path: a YAML that describes it; by default the package's own.
        vis_path: folder of its media, in place of the configured one.
        data_type: whose folder ``vis_path`` is; by default the configured data type.

    Returns:
        {split: data set}.

    Raises:
        UnknownNameError: nothing is registered under the name; the nearest one is named.
        ConfigError: ``data_type`` is not in ``build_info``.
    """
    builder = registry.require("builder", name)(None if cfg_path is None else load_dataset_config(cfg_path))
    if vis_path is not None:
        section = data_type or builder.config.data_type
        build_info = builder.config.build_info
        if not isinstance(section, str) or section not in build_info:
            known = ", ".join(str(key) for key in build_info)
            raise ConfigError(
                f"data_type {section!r} is not in build_info of {name!r}: pass data_type as one of {known}."
            )
        build_info[section].storage = vis_path
    datasets: dict[str, Any] = builder.build_datasets()
    return datasets


class DatasetZoo:
    """What data sets are registered, at the time it is asked."""

    @property
    def dataset_zoo(self) -> dict[str, list[str]]:
        """{name: its configuration types}; imports every builder."""
        return {name: list(registry.require("builder", name).DATASET_CONFIG_DICT) for name in self.get_names()}

    def get_names(self) -> list[str]:
        """Return the sorted names of the data sets."""
        return registry.list_datasets()

    def __iter__(self) -> Iterator[str]:
        return iter(self.get_names())


dataset_zoo = DatasetZoo()
