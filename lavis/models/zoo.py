"""What models and types exist, at the time it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from lavis.common.registry import registry

ARCHITECTURE_TITLE = "Architectures"
TYPES_TITLE = "Types"


class ModelZoo:
    """A view of the registry: models registered later are in it, too."""

    @property
    def model_zoo(self) -> dict[str, list[str]]:
        """{architecture: its types}, sorted by name; imports every model."""
        return {
            name: list(registry.require("model", name).PRETRAINED_MODEL_CONFIG_DICT) for name in registry.list_models()
        }

    def __iter__(self) -> Iterator[tuple[str, list[str]]]:
        """Yield (architecture, types)."""
        return iter(self.model_zoo.items())

    def __len__(self) -> int:
        """Return the number of types of all architectures."""
        return sum(len(types) for _, types in self)

    def __str__(self) -> str:
        rows = [(ARCHITECTURE_TITLE, TYPES_TITLE), *((name, ", ".join(types)) for name, types in self)]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {types}".rstrip() for name, types in rows]
        return "\n".join([lines[0], "=" * max(len(line) for line in lines), *lines[1:]])


model_zoo = ModelZoo()
