"""Clips kept for the next question on the same medium: bounded in bytes, one process's own, safe for threads."""

from __future__ import annotations

import dataclasses
import os
import threading
import weakref
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from lavis.common.bounded_cache import BoundedCache
from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Clip, Loader, Sampling

DEFAULT_BYTES = 512 * 2**20
_caches: weakref.WeakSet[ClipCache] = weakref.WeakSet()


class ClipCache:
    """Keeps the clips that were used last, up to a number of bytes.

    A clip is found again for the same file or folder (name, bytes and time of change), loader, options and frames.
    A folder whose files are overwritten in place keeps its time of change: call :meth:`clear` after that.

    Args:
        max_bytes: of arrays that are kept; 0 keeps none. A clip that is larger is returned and not kept.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        if max_bytes < 0:
            raise ConfigError(f"A clip cache holds 0 bytes or more, not {max_bytes}.")
        self.max_bytes = max_bytes
        self.clear()
        _caches.add(self)

    def load(self, path: Path, loader: Loader, sampling: Sampling | None = None, *, media_id: str) -> Any:
        """Return what the loader returns for this call, reading it only when it is not kept.

        Threads that ask for one clip at one time wait for one reading; others do not wait.

        Args:
            path: file or folder.
            loader: the modality's loader.
            sampling: the frames; None for every frame, and for modalities without time.
            media_id: the medium.

        Returns:
            The loader's result. Arrays of a :class:`Clip` are read-only, because others hold them too; anything that
            is no clip is read every time.

        Raises:
            ModalityError: from the loader; a failure is not kept.
        """
        key = _key(path, loader, sampling)
        with self._lock:
            if (clip := self._clips.get(key)) is not None:
                return clip if clip.media_id == media_id else dataclasses.replace(clip, media_id=media_id)
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                clip = self._clips.get(key)
            if clip is None:
                try:
                    loaded = loader.load(path, media_id=media_id, sampling=sampling)
                    if not isinstance(loaded, Clip):
                        return loaded
                    clip = _frozen(loaded)
                    with self._lock:
                        self._clips.put(key, clip)
                finally:
                    with self._lock:
                        self._turns.pop(key, None)
        return clip if clip.media_id == media_id else dataclasses.replace(clip, media_id=media_id)

    def clear(self) -> None:
        """Forget every clip."""
        self._lock = threading.Lock()
        self._clips: BoundedCache[Clip] = BoundedCache(self.max_bytes, _bytes_of)
        self._turns: dict[Hashable, threading.Lock] = {}

    @property
    def n_bytes(self) -> int:
        """What is kept, bytes."""
        return self._clips.n_bytes

    def __getstate__(self) -> Mapping[str, int]:
        """Leave the clips behind: a worker that is started anew begins with none."""
        return {"max_bytes": self.max_bytes}

    def __setstate__(self, state: Mapping[str, int]) -> None:
        self.__init__(state["max_bytes"])  # type: ignore[misc]


def _key(path: Path, loader: Loader, sampling: Sampling | None) -> Hashable:
    try:
        stat = path.stat()
        version = (stat.st_size, stat.st_mtime_ns)
    except OSError:
        version = (-1, -1)  # the loader says what is wrong
    options = tuple((name, repr(value)) for name, value in sorted(vars(loader).items()))
    frames = None if sampling is None else (sampling.indices, sampling.timestamps_s, sampling.rate_hz)
    return str(path), version, type(loader), options, frames


def _frozen(clip: Clip) -> Clip:
    for array in (clip.array, *clip.extras.values()):
        array.setflags(write=False)
    return clip


def _bytes_of(clip: Clip) -> int:
    return sum(int(array.nbytes) for array in (clip.array, *clip.extras.values()))


def _begin_anew() -> None:
    """Empty every cache in a forked process: a lock may be held by a thread that only the parent has."""
    for cache in list(_caches):
        cache.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
