"""Music whose players, sides, order and tempo are known, because the test plays it."""

from __future__ import annotations

import numpy as np
import pytest
from hearing import clip, need, two_cities
from performances import drums, flute, guitar

from lavis.common.errors import ConfigError, ModalityError
from lavis.experts.ensemble import Part
from lavis.experts.music import MusicExpert
from lavis.experts.yamnet import CLASSES, MODEL


@pytest.fixture(autouse=True)
def weights() -> None:
    need(MODEL, CLASSES)


def lines(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_one_player_is_named_with_its_time_and_tempo() -> None:
    """Ground truth: a drum kit alone at 120 beats per minute for 12 s."""
    text = MusicExpert().write(clip(drums(24)))
    (line,) = lines(text, "- ")
    assert line.startswith("- drum (") and line.endswith(": 0.0 to 12.0 s")
    assert "Playing all the time that anything sounds: drum." in text
    assert "One kind of instrument is recognised clearly; there may be more." in text
    assert "Tempo: about 120 beats per minute, steady" in text
    assert "The recording is mono: sides cannot be told." in text
    assert "No singing is recognised" in text and "No speech is recognised" in text


def test_players_one_after_the_other_are_told_in_their_order_with_the_louder() -> None:
    """Ground truth: 6 s of flute, then drums at four times the amplitude (12 dB)."""
    both = np.concatenate([0.25 * flute()[:96000], drums()])
    text = MusicExpert().write(clip(both))
    assert "In order of entry: flute, drum." in text
    (line,) = lines(text, "- flute")
    assert float(line.split(" to ")[1].split()[0]) == pytest.approx(6.0, abs=1.0)
    (louder,) = lines(text, "Drum is ") or lines(text, "Flute is ")
    assert " dB louder than " in louder and "each where it plays alone" in louder


def test_sides_and_loudness_are_told_where_channels_differ() -> None:
    """Ground truth: drums on the left, a flute on the right at a third of the amplitude (about 10 dB less)."""
    left, right = drums(12), 0.1 * flute()
    text = MusicExpert().write(clip(left, right))
    assert lines(text, "- drum")[0].endswith(", on the left")
    assert lines(text, "- flute")[0].endswith(", on the right")
    assert "The left channel is " in text and "Drum is " in text and "dB louder than flute" in text
    assert "the more rhythmic" in lines(text, "Rhythm: ")[0] and "drum is the more rhythmic" in text
    mirrored = MusicExpert().write(clip(right, left))
    assert lines(mirrored, "- drum")[0].endswith(", on the right")
    assert "The right channel is " in mirrored


def test_one_side_alone_and_two_equal_channels() -> None:
    alone = MusicExpert().write(clip(flute(), np.zeros(len(flute()))))
    assert "Only the left channel sounds." in alone and lines(alone, "- flute")[0].endswith(", on the left")
    twice = MusicExpert().write(clip(flute(), flute()))
    assert "Both channels are the same: left and right cannot be told apart." in twice
    assert "on the" not in lines(twice, "- flute")[0]


def test_what_is_not_sure_says_probably() -> None:
    text = MusicExpert().write(clip(guitar()))
    assert lines(text, "- probably acoustic guitar (0.") or lines(text, "- acoustic guitar (0.")
    assert Part("cello", 0.4, ((0.0, 2.0), (3.0, 4.0))).told == "probably cello"
    assert Part("cello", 0.9, ((0.0, 2.0), (3.0, 4.0))).told == "cello"
    assert Part("cello", 0.4, ((0.0, 2.0), (3.0, 4.0))).plays_s == 3.0


def test_speech_and_silence_are_no_music() -> None:
    text = MusicExpert().write(two_cities(1, 6))
    assert text.startswith("Probably no music is heard (probability at most 0.")
    assert lines(text, "Speech is heard: ")
    silent = MusicExpert().write(clip(np.zeros(32000)))
    assert silent == "The sound is 2.0 s long and silent throughout: there is no music."


def test_instruments_are_looked_for_in_the_music_only() -> None:
    """Ground truth: 6 s of a man reading, then 6 s of flute."""
    text = MusicExpert().write(clip(np.concatenate([4 * two_cities(1, 7).array, flute()[:96000]])))
    (line,) = lines(text, "- ")
    assert line.startswith("- flute (")
    assert float(line.split(": ")[1].split()[0]) == pytest.approx(6.0, abs=1.0)
    assert lines(text, "Speech is heard: ")


def test_short_and_clipped_music_and_bad_options() -> None:
    text = MusicExpert().write(clip(np.clip(drums() * 8, -1, 1)))
    assert "probably clipped" in text and lines(text, "- drum")
    assert "only 0.50 s long" in MusicExpert().write(clip(flute()[:8000]))
    with pytest.raises(ModalityError, match="less than 25 ms"):
        MusicExpert().write(clip(np.zeros(10)))
    with pytest.raises(ConfigError, match=r"model\.experts\.music: max_instruments"):
        MusicExpert(max_instruments=0)


def test_the_same_music_has_the_same_text() -> None:
    one = clip(drums(), flute())
    assert MusicExpert().write(one) == MusicExpert().write(one)
