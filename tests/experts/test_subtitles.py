"""Subtitles as evidence: whole where short, what bears on the question where long, nothing said twice."""

from __future__ import annotations

import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.captions import Caption
from lavis.datasets.question import Media, Question
from lavis.experts.subtitles import SubtitlesExpert


def question(text: str) -> Question:
    return Question("q1", text, Media("clip", {}))


def lecture(n_lines: int) -> tuple[Caption, ...]:
    """A line every 10 s; only the one at 500 s is about mitochondria."""
    lines = [
        Caption(f"We now turn to point number {n} of our list.", "", (10.0 * n, 10.0 * n + 4)) for n in range(n_lines)
    ]
    lines[50] = Caption("The mitochondria make the energy of a cell.", "", (500.0, 504.0))
    return tuple(lines)


def test_a_short_transcript_is_quoted_whole_with_speakers_and_passages() -> None:
    """Ground truth: two lines of Anna without a pause, one of Bob, and one of Bob after a pause."""
    lines = (
        Caption("Good morning.", "Anna", (1.0, 2.0)),
        Caption("It rained.", "Anna", (2.5, 3.0)),
        Caption("It did.", "Bob", (3.0, 4.0)),
        Caption("Bye.", "Bob", (20.0, 21.0)),
    )
    assert SubtitlesExpert().write(lines, question=question("Who?")) == (
        "Subtitles, whole:\n- 1.0 to 3.0 s: Anna: Good morning. It rained.\n- 3.0 to 4.0 s: Bob: It did.\n"
        "- 20.0 to 21.0 s: Bob: Bye."
    )


def test_of_a_long_transcript_what_is_asked_about_comes_with_its_neighbours() -> None:
    expert = SubtitlesExpert(max_chars=600)
    text = expert.write(lecture(200), question=question("What do mitochondria make?"))
    assert len(text) < 750
    lines = text.splitlines()
    assert lines[0].startswith("Subtitles (") and "of 200 passages" in lines[0]
    place = next(k for k, line in enumerate(lines) if "mitochondria" in line)
    assert "number 49 " in lines[place - 1] and "number 51 " in lines[place + 1]
    starts_s = [float(line.split()[1]) for line in lines[1:]]
    assert starts_s == sorted(starts_s)
    assert text == expert.write(lecture(200), question=question("What do mitochondria make?"))


def test_without_a_word_in_common_the_transcript_is_sampled_evenly() -> None:
    text = SubtitlesExpert(max_chars=600).write(lecture(200), question=question("Why?"))
    starts_s = [float(line.split()[1]) for line in text.splitlines()[1:]]
    assert starts_s[0] == 0.0 and starts_s[-1] >= 1500 and len(starts_s) >= 6


def test_rolling_captions_are_told_once_and_a_later_repeat_is_kept() -> None:
    """The form of automatic captions: each cue shows the line before again above the new one."""
    lines = (
        Caption("so today we will", "", (0.0, 2.0)),
        Caption("so today we will", "", (2.0, 2.01)),
        Caption("so today we will look at cells", "", (2.01, 4.0)),
        Caption("look at cells and what they do", "", (4.0, 6.0)),
        Caption("look at cells", "", (30.0, 31.0)),
    )
    assert SubtitlesExpert().write(lines, question=question("What?")).splitlines()[1:] == [
        "- 0.0 to 6.0 s: so today we will look at cells and what they do",
        "- 30.0 to 31.0 s: look at cells",
    ]


def test_one_passage_longer_than_the_limit_is_quoted_and_nothing_is_an_error() -> None:
    monologue = (Caption("word " * 200, "", (0.0, 90.0)),)
    assert SubtitlesExpert(max_chars=300).write(monologue, question=question("What?")).count("word") == 200
    with pytest.raises(ModalityError, match="no subtitle to quote"):
        SubtitlesExpert().write((), question=question("What?"))
    with pytest.raises(ConfigError, match=r"model\.experts\.subtitles: max_chars"):
        SubtitlesExpert(max_chars=10)
