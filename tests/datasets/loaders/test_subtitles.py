"""Subtitle files as players accept them: both formats, their oddities, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lavis.common.errors import AnnotationError, ModalityError
from lavis.datasets.loaders.captions import Caption
from lavis.datasets.loaders.subtitles import SubtitlesLoader

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>It was the best of times,</i>
it was the worst of times.

2
00:00:03.25 --> 00:01:04,000
{\\an8}Fish &amp; chips &lt;3, 2 < 3
"""
VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE an arrow --> in a note is no cue
nor is this

intro
00:01.000 --> 00:02.500 position:10% align:start
<v.loud Anna Lee>Good <c.yellow>morning</c>.</v> <v Bob>Hi<00:00:02.000> there.

01:00:00.000 --> 01:00:01.000
late
"""


def load(tmp_path: Path, text: str | bytes, suffix: str = ".srt") -> tuple[Caption, ...]:
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return SubtitlesLoader().load(path, media_id="clip")


def test_subrip_lines_lose_markup_and_keep_signs(tmp_path: Path) -> None:
    assert load(tmp_path, SRT) == (
        Caption("It was the best of times, it was the worst of times.", "", (1.0, 2.5)),
        Caption("Fish & chips <3, 2 < 3", "", (3.25, 64.0)),
    )


@pytest.mark.parametrize("change", [("\n", "\r\n"), ("\n", "\r"), ("1\n0", "\ufeff1\n0"), ("\n\n2\n", "\n2\n")])
def test_line_ends_a_mark_and_a_blank_line_left_out_change_nothing(tmp_path: Path, change: tuple[str, str]) -> None:
    assert load(tmp_path, SRT.replace(*change, 1 if "1\n0" in change else -1)) == load(tmp_path, SRT)


def test_webvtt_has_speakers_names_settings_notes_and_short_times(tmp_path: Path) -> None:
    assert load(tmp_path, VTT, ".vtt") == (
        Caption("Good morning.", "Anna Lee", (1.0, 2.5)),
        Caption("Hi there.", "Bob", (1.0, 2.5)),
        Caption("late", "", (3600.0, 3601.0)),
    )


def test_lines_are_sorted_by_time_and_overlap_is_kept(tmp_path: Path) -> None:
    text = "2\n00:00:05,0 --> 00:00:09,0\nb\n\n1\n00:00:01,0 --> 00:00:06,0\na\n\nstill a\n"
    assert [(one.text, one.span_s) for one in load(tmp_path, text)] == [("a still a", (1.0, 6.0)), ("b", (5.0, 9.0))]


def test_a_line_without_text_is_passed_over_and_years_are_no_numbers_of_lines(tmp_path: Path) -> None:
    text = "1\n00:00:00,000 --> 00:00:01,000\n<i></i>\n\n2\n00:00:01,000 --> 00:00:02,000\nIn\n1984\nit rained\n"
    assert [one.text for one in load(tmp_path, text)] == ["In 1984 it rained"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\n00:00:01,000 --> soon\nhi\n", r"line 2: '00:00:01,000 --> soon' is no time"),
        ("1\n00:61:01,000 --> 00:62:01,000\nhi\n", r"line 2: minutes and seconds run from 0 to 59"),
        ("\n\n00:00:05,000 --> 00:00:01,000\nhi\n", r"line 3: it ends at 1\.000 s, before it begins at 5\.000 s"),
        ("1\n2\ncaf\xe9\n".encode("latin-1"), r"line 3: not UTF-8; write the file again"),
        ("hi".encode("utf-16"), r"line 1: not UTF-8"),
        (b"", "hold no line of text"),
        ("just prose, no times\n", "hold no line of text"),
        ("WEBVTT\n\nNOTE 00:00:01.000 --> 00:00:02.000\n", "hold no line of text"),
    ],
)
def test_what_is_garbled_is_an_error_that_names_medium_file_and_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(ModalityError, match=rf"clip: subtitles .*clip\.srt.*{said}"):
        load(tmp_path, text)


def test_a_missing_file_and_the_place_of_files(tmp_path: Path) -> None:
    def locate(name: str) -> Path:
        return SubtitlesLoader.locate(tmp_path, name, annotation="record 1")

    assert locate("a") == tmp_path / "a.srt" and locate("b.vtt") == tmp_path / "b.vtt"
    (tmp_path / "a.vtt").touch()
    assert locate("a") == tmp_path / "a.vtt"
    with pytest.raises(AnnotationError, match="record 1"):
        locate("../a")
    with pytest.raises(ModalityError, match="do not exist"):
        SubtitlesLoader().load(tmp_path / "absent.srt", media_id="m")
