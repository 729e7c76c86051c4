"""Threads ahead and behind: order, bounds, errors, and no thread left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from lavis.extract.pipeline import Behind, ahead


def counted(n: int, made: list[int]) -> Iterator[int]:
    for number in range(n):
        made.append(number)
        yield number


def test_items_come_in_order_and_no_more_than_depth_ahead() -> None:
    made: list[int] = []
    reader = ahead(counted(50, made), depth=3)
    for number in range(50):
        assert next(reader) == number
        time.sleep(0.001)
        assert len(made) <= number + 1 + 3 + 1  # taken, waiting, and the one that waits to be put
    assert list(reader) == []


def test_an_error_of_the_items_is_raised_after_what_was_whole() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    reader = ahead(failing(), depth=2)
    assert next(reader) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(reader)


def test_stopping_early_ends_the_thread_and_closes_the_items() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    reader = ahead(endless(), depth=2)
    next(reader)
    reader.close()
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_writing_behind_keeps_the_order_and_ends_before_the_context() -> None:
    written: list[int] = []
    with Behind[int](lambda one: (time.sleep(0.001), written.append(one))[1], depth=2) as behind:
        for number in range(20):
            behind.put(number)
    assert written == list(range(20))


def test_an_error_of_the_writer_stops_whoever_puts() -> None:
    def full(one: int) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        with Behind[int](full, depth=1) as behind:
            for number in range(1000):
                behind.put(number)
                time.sleep(0.001)
    with pytest.raises(OSError, match="no space left"):
        with Behind[int](full, depth=1) as behind:
            behind.put(1)
