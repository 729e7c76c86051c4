"""What a decoder is: it lists a video's frames in the order of their display and gives those that are asked for."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from lavis.datasets.loaders.base import Array


class UndecodableError(Exception):
    """A file that one decoder cannot read and another may; never leaves this package."""


class DamagedError(Exception):
    """A file that no decoder can read rightly, because its bytes are missing or wrong; never leaves this package."""


class Decoder(abc.ABC):
    """One video file, open.

    A subclass opens the file in ``__init__`` and sets the attributes.

    Attributes:
        timestamps_s: when each frame is shown [n] float64, ascending, as the container counts.
        stated_hz: frames per s that the container states, None where it states none.
    """

    name: ClassVar[str]
    timestamps_s: Array
    stated_hz: float | None

    @abc.abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abc.abstractmethod
    def frames(self, indices: Sequence[int]) -> Iterator[Array]:
        """Decode frames by number.

        Args:
            indices: strictly ascending, below the number of frames.

        Yields:
            One picture [h, w, 3] uint8 RGB per index, turned as the container says it is shown.

        Raises:
            UndecodableError: another decoder may do better.
            DamagedError: none will.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give the file back."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
