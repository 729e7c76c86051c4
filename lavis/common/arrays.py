"""Arrays from files, read by many threads at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from os import PathLike

Read = TypeVar("Read")

# NumPy parses the header of an array as Python. Python 3.11 counts the depth of all threads' parsers together and now
# and then takes the sum for an error (github.com/python/cpython/issues/106905); the next attempt knows nothing of it.
ATTEMPTS = 8
MISCOUNTED = "recursion depth mismatch"


def load_array(source: PathLike[str] | str | IO[bytes], mmap_mode: Literal["r"] | None = None) -> Any:
    """Open ``.npy`` or ``.npz`` as :func:`numpy.load` does, in any thread; nothing is unpickled.

    Raises:
        OSError, ValueError, EOFError, zipfile.BadZipFile: as NumPy does.
    """
    import numpy as np

    def read() -> Any:
        if hasattr(source, "seek"):
            source.seek(0)
        return np.load(source, mmap_mode=mmap_mode, allow_pickle=False)

    return again(read)


def again(read: Callable[[], Read]) -> Read:
    """Return what a read gives that parses headers, repeated where Python's parser miscounted."""
    for _ in range(ATTEMPTS - 1):
        try:
            return read()
        except SystemError as error:
            if MISCOUNTED not in str(error):
                raise
    return read()
