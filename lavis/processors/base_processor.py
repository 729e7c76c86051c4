"""What a processor is: one callable that turns what was loaded into what a model takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from omegaconf import OmegaConf

from lavis.common.errors import ConfigError


class BaseProcessor:
    """The identity, and the base of every processor.

    A subclass sets ``self.transform`` or writes ``__call__``, and reads its options in
    :meth:`from_config`, which must accept None. It sets ``is_repeatable`` where the same item gives the same result
    every time, so that a result may be kept for the medium's other questions.
    """

    is_repeatable: ClassVar[bool] = False

    def __init__(self) -> None:
        self.transform: Callable[[Any], Any] = _identity

    def __call__(self, item: Any) -> Any:
        """Return the processed item."""
        return self.transform(item)

    @classmethod
    def from_config(cls, cfg: Any = None) -> BaseProcessor:
        """Build the processor from its configuration node; None means every default."""
        return cls()

    def build(self, **kwargs: Any) -> BaseProcessor:
        """Return a new processor of the same class with these options."""
        return self.from_config(OmegaConf.create(kwargs))


def _identity(item: Any) -> Any:
    return item


def option(cfg: Any, key: str, default: Any) -> Any:
    """Return ``cfg[key]`` where the node exists and says something, else ``default``."""
    value = None if cfg is None else cfg.get(key)
    return default if value is None else value


class AbsentProcessor(BaseProcessor):
    """Stands where a configuration gives a processor for one phase only; says so when it is used."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def __call__(self, item: Any) -> Any:
        """Refuse.

        Raises:
            ConfigError: always; names the missing key.
        """
        raise ConfigError(f"{self.key} is missing: this split needs it; write {self.key}: {{name: …}}.")
