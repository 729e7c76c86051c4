"""Arrays are read by many threads at once."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lavis.common.arrays import ATTEMPTS, again, load_array

# Threads that change over all the time, and a collector that runs while a header is parsed: on Python 3.11 plain
# numpy.load fails hundreds of times in this.
HAMMER = """
import gc, sys, threading
from lavis.common.arrays import again, load_array
class Slow:
    def __del__(self):
        sum(range(200))
read, failed = [], []
def work():
    for _ in range(1500):
        slow = Slow()
        slow.itself = slow
        try:
            load_array(sys.argv[1])
            with load_array(sys.argv[2]) as stored:
                read.append(again(lambda: stored["x"]).sum())
        except Exception as error:
            failed.append(repr(error))
sys.setswitchinterval(1e-6)
gc.set_threshold(5)
threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(len(read), set(map(float, read)), set(failed))
"""


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3)))
    words = [sys.executable, "-c", HAMMER, str(tmp_path / "x.npy"), str(tmp_path / "x.npz")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "9000 {6.0} set()\n"


def test_bytes_and_maps_are_read() -> None:
    stored = io.BytesIO()
    np.save(stored, np.arange(3))
    assert load_array(stored).tolist() == [0, 1, 2]
    assert load_array(stored).tolist() == [0, 1, 2], "from its beginning"


def test_what_is_pickled_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        load_array(tmp_path / "x.npy")


def test_other_errors_are_not_repeated_and_this_one_not_for_ever() -> None:
    calls: list[str] = []

    def failing(message: str) -> None:
        calls.append(message)
        raise SystemError(message)

    with pytest.raises(SystemError, match="another"):
        again(lambda: failing("another"))
    assert len(calls) == 1
    with pytest.raises(SystemError, match="mismatch"):
        again(lambda: failing("AST constructor recursion depth mismatch (before=27, after=24)"))
    assert len(calls) == 1 + ATTEMPTS
