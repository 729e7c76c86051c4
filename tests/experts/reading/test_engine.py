"""The reader: lines with their boxes, the same on any number of threads, without any download."""

from __future__ import annotations

import multiprocessing
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawings import drawn

from lavis.experts.reading.engine import Reader, search_side_px, shared_reader

PICTURE = drawn((420, 200), [("Largest sign", 20, 20, 40), ("and small print 2024", 20, 120, 20)])


def test_lines_boxes_and_certainty_are_the_same_on_any_number_of_threads_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The texts begin at 20 px; their letters are 40 and 20 px tall."""
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    monkeypatch.delattr(socket, "getaddrinfo")
    one, two = Reader(1).read(PICTURE), Reader(2).read(PICTURE)
    assert one == two and [line.text for line in one] == ["Largest sign", "and small print 2024"]
    for line, top in zip(one, (20, 120), strict=True):
        left, upper, right, lower = line.box_px
        assert left == pytest.approx(20, abs=6) and top - 6 <= upper < lower <= top + 60 and right <= 420
        assert line.confidence > 0.9 and line.box[0] == pytest.approx(left / 420)
    assert one[0].height_px > 1.4 * one[1].height_px


def test_threads_share_one_reader_and_pictures_without_area_hold_nothing() -> None:
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(lambda _: shared_reader().read(PICTURE), range(8)))
    assert all(lines == read[0] for lines in read) and len(read[0]) == 2
    assert shared_reader().read(np.zeros((0, 5, 3), np.uint8)) == ()


def read_texts(_: int) -> list[str]:
    return [line.text for line in shared_reader().read(PICTURE)]


def test_a_forked_process_reads_with_an_engine_of_its_own() -> None:
    """A fork does not take the threads of the parent's engine along: used or ended in the child it waits forever."""
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    expected = read_texts(0)
    with multiprocessing.get_context("fork").Pool(1) as workers:
        assert workers.map_async(read_texts, [0]).get(timeout=120) == [expected]


def test_small_pictures_are_enlarged_up_to_a_bound() -> None:
    assert search_side_px(360, 480) == 736 and search_side_px(1240, 1755) == 1240
    for height, width in ((150, 900), (500, 2000), (1, 5000), (1, 1)):
        side = search_side_px(height, width)
        scale = max(1.0, side / height)
        assert side >= 32 and (height * width * scale**2 <= 1_000_000 or side in (32, height))
