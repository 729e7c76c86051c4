"""Frames at another rate: both rules, the second against FFmpeg's own filter."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lavis.common.errors import ConfigError
from lavis.extract.resample import as_fps, check_rule, pick_frames


def even(n: int, rate: Fraction) -> tuple[list[Fraction], Fraction]:
    return [number / rate for number in range(n)], n / rate


def test_shown_is_the_frame_on_the_screen() -> None:
    """Truth: at 24 Hz the frames at 0, 1/3, 2/3 … s are 0, 8, 16 …; at 10 Hz 0, 3 (0.3 s), 6 (0.6 s), 10 (1 s)."""
    assert pick_frames(*even(48, Fraction(24)), Fraction(3), rule="shown") == [0, 8, 16, 24, 32, 40]
    assert pick_frames(*even(12, Fraction(10)), Fraction(3), rule="shown") == [0, 3, 6, 10]


def test_a_rate_above_the_mediums_repeats_frames() -> None:
    assert pick_frames(*even(3, Fraction(2)), Fraction(4), rule="shown") == [0, 0, 1, 1, 2, 2]


def test_uneven_times_count_from_the_first() -> None:
    times_s = [Fraction(5) + one for one in (0, Fraction(1, 10), Fraction(9, 10), 1)]
    assert pick_frames(times_s, Fraction(62, 10), Fraction(2), rule="shown") == [0, 1, 3]


def test_there_is_always_a_frame() -> None:
    for rule in ("shown", "ffmpeg"):
        assert pick_frames([Fraction(0)], Fraction(1, 25), Fraction(3), rule=check_rule(rule)) == [0]


@pytest.mark.parametrize(
    ("rate", "n"), [("24", 100), ("25", 41), ("30000/1001", 95), ("30", 300), ("10", 17), ("2", 9)]
)
def test_the_other_rule_is_that_of_ffmpegs_filter(rate: str, n: int) -> None:
    exact = Fraction(rate)
    assert pick_frames(*even(n, exact), Fraction(3), rule="ffmpeg") == through_filter(exact, n)


def through_filter(rate: Fraction, n: int) -> list[int]:
    import av

    graph = av.filter.Graph()
    source = graph.add_buffer(width=16, height=16, format="gray", time_base=1 / rate)
    fps, sink = graph.add("fps", "fps=3"), graph.add("buffersink")
    source.link_to(fps)
    fps.link_to(sink)
    graph.configure()
    picked: list[int] = []

    def drain() -> None:
        while True:
            try:
                picture = graph.pull().to_ndarray()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            picked.append(int(picture[0, 0]) * 256 + int(picture[0, 1]))

    for number in range(n):
        picture = np.zeros((16, 16), np.uint8)
        picture[0, :2] = divmod(number, 256)
        frame = av.VideoFrame.from_ndarray(picture, format="gray")
        frame.pts, frame.time_base, frame.duration = number, 1 / rate, 1
        graph.push(frame)
        drain()
    graph.push(None)
    drain()
    return picked


def test_rates_and_rules_are_checked() -> None:
    assert as_fps("30000/1001") == Fraction(30000, 1001) and as_fps(2.5) == Fraction(5, 2)
    for wrong in ("many", "0", "-1", "1/0"):
        with pytest.raises(ConfigError, match="fps"):
            as_fps(wrong)
    with pytest.raises(ConfigError, match="shown, ffmpeg"):
        check_rule("nearest")
