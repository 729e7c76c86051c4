"""The clip cache: one reading per clip, bounded, read-only, its own in every process."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.clip_cache import ClipCache
from lavis.datasets.loaders.frames import FramesLoader


class CountingLoader(FramesLoader):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    n_loads = 0

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Any:
        type(self).n_loads += 1
        return super().load(path, media_id=media_id, sampling=sampling)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.full((8, 8, 3), 10 * number, np.uint8)).save(folder / f"{number}.png")
    CountingLoader.n_loads = 0
    return folder


def test_a_clip_is_read_once_and_cannot_be_written(folder: Path) -> None:
    cache, sampling = ClipCache(), Sampling((1, 3))
    first = cache.load(folder, CountingLoader(), sampling, media_id="room")
    again = cache.load(folder, CountingLoader(), sampling, media_id="room")
    assert CountingLoader.n_loads == 1 and again is first and cache.n_bytes == first.array.nbytes == 2 * 8 * 8 * 3
    with pytest.raises(ValueError, match="read-only"):
        again.array[0] = 0
    assert cache.load(folder, CountingLoader(), sampling, media_id="other").media_id == "other"
    assert CountingLoader.n_loads == 1


def test_other_frames_options_or_a_changed_folder_are_read_anew(folder: Path) -> None:
    cache = ClipCache()
    cache.load(folder, CountingLoader(), Sampling((1,)), media_id="room")
    assert cache.load(folder, CountingLoader(), Sampling((2,)), media_id="room").array[0, 0, 0, 0] == 20
    assert cache.load(folder, CountingLoader(size_px=[4, 4]), Sampling((1,)), media_id="room").array.shape[1] == 4
    (folder / "0.png").unlink()
    os.utime(folder, ns=(1, 1))
    assert cache.load(folder, CountingLoader(), Sampling((1,)), media_id="room").array[0, 0, 0, 0] == 20
    assert CountingLoader.n_loads == 4


def test_bytes_are_bounded_and_what_was_used_last_stays(folder: Path) -> None:
    one = 8 * 8 * 3
    cache = ClipCache(2 * one)
    for index in (0, 1, 0, 2, 0):
        cache.load(folder, CountingLoader(), Sampling((index,)), media_id="room")
        assert cache.n_bytes <= 2 * one
    assert CountingLoader.n_loads == 3
    cache.load(folder, CountingLoader(), None, media_id="room")  # four frames: returned, not kept
    assert cache.n_bytes == 2 * one
    with pytest.raises(ConfigError, match="0 bytes or more"):
        ClipCache(-1)


def test_threads_that_ask_together_wait_for_one_reading(folder: Path) -> None:
    cache, begun, go_on = ClipCache(), threading.Event(), threading.Event()

    class Slow(CountingLoader):
        n_loads = 0

        def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Any:
            begun.set()
            assert go_on.wait(10)
            return super().load(path, media_id=media_id, sampling=sampling)

    loader, results = Slow(), []
    ask = lambda: results.append(cache.load(folder, loader, Sampling((1,)), media_id="room"))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    cache.load(folder, CountingLoader(), Sampling((2,)), media_id="room")  # another clip does not wait
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(results) == 4 and all(result is results[0] for result in results)
    assert Slow.n_loads == 1 and CountingLoader.n_loads == 1


def test_a_failure_is_not_kept(folder: Path) -> None:
    cache = ClipCache()
    with pytest.raises(ModalityError, match="needs 10"):
        cache.load(folder, CountingLoader(), Sampling((9,)), media_id="room")
    for number in range(4, 10):
        Image.fromarray(np.full((8, 8, 3), 10 * number, np.uint8)).save(folder / f"{number}.png")
    assert cache.load(folder, CountingLoader(), Sampling((9,)), media_id="room").array[0, 0, 0, 0] == 90


def test_a_worker_begins_with_an_empty_cache(folder: Path) -> None:
    cache = ClipCache(1234)
    cache.load(folder, CountingLoader(), Sampling((1,)), media_id="room")
    sent = pickle.loads(pickle.dumps(cache))
    assert (sent.max_bytes, sent.n_bytes, cache.n_bytes) == (1234, 0, 192)
    child = os.fork()
    if not child:
        os._exit(cache.n_bytes)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
