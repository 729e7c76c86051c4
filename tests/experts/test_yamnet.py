"""YAMNet's input as it was trained with, and its names on sounds that are known."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hearing import need, two_cities
from performances import drums, flute

from lavis.common.errors import WeightsError
from lavis.common.weights import weights_path
from lavis.experts.yamnet import CLASSES, MODEL, Tagger, Tags, shared_tagger
from lavis.experts.yamnet.instruments import HELD, INSTRUMENTS, RINGING, USUAL, Physics, scores, shares
from lavis.experts.yamnet.log_mel import LOG_OFFSET, PATCH_S, log_mel, patch_starts, patches
from lavis.experts.yamnet.taxonomy import LAST_CHILD, NO_EVENTS, SINGING, children


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    need(MODEL, CLASSES)
    return shared_tagger()


def best(tags: Tags, n_best: int = 3) -> list[str]:
    mean = tags.probabilities.mean(axis=0)
    return [tags.names[number] for number in np.argsort(-mean)[:n_best]]


def test_the_spectrogram_has_a_row_every_10_ms_and_a_sine_in_its_band() -> None:
    """1000 Hz is mel 1000; 64 bands lie evenly from 125 Hz (mel 185) to 7500 Hz (mel 2774): it is the 20th."""
    spectrogram = log_mel(0.5 * np.sin(2 * np.pi * 1000 * np.arange(32000) / 16000))
    assert spectrogram.shape == (198, 64) and spectrogram.dtype == np.float32
    assert set(spectrogram.argmax(axis=1)) <= {19, 20}
    # A window of 400 samples of a sine of amplitude 0.5 has a peak of 0.5 · 400 / 4 = 50, in a triangle of about 1.
    assert spectrogram.max() == pytest.approx(np.log(50), abs=0.7)
    assert log_mel(np.zeros(16000)).max() == pytest.approx(np.log(LOG_OFFSET))


def test_patches_cover_the_whole_sound_and_a_short_one_is_continued_with_silence() -> None:
    assert patch_starts(200, 48) == [0, 48, 96, 104]
    assert patches(log_mel(np.zeros(32000)), 48).shape == (4, 96, 64)
    assert log_mel(np.ones(800)).shape == (96, 64) and patch_starts(96, 24) == [0]


def test_real_speech_a_drum_kit_and_a_flute_are_named(tagger: Tagger) -> None:
    assert best(tagger.tag(two_cities(0, 8).array))[0] == "Speech"
    assert {"Drum kit", "Percussion", "Drum", "Bass drum", "Snare drum"} & set(best(tagger.tag(drums()), 5))
    assert "Flute" in best(tagger.tag(flute()))


def test_stretches_know_their_times(tagger: Tagger) -> None:
    tags = tagger.tag(np.concatenate([np.zeros(48000, np.float32), drums()[:48000]]))
    assert tags.spans_s[0] == (0.0, PATCH_S) and tags.spans_s[-1][1] == pytest.approx(6.0, abs=0.03)
    music = tags.names.index("Music")
    assert tags.within(4, 6).probabilities[:, music].mean() > 0.5 > tags.within(0, 2).probabilities[:, music].mean()
    assert len(tags.within(100, 101).spans_s) == 1


def test_the_same_sound_has_the_same_names_in_every_thread(tagger: Tagger) -> None:
    sound, found = drums(), {}

    def look(number: int) -> None:
        found[number] = shared_tagger().tag(sound).logits

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((found[number] == found[0]).all() for number in range(4))


def test_the_tree_and_the_instruments_use_names_that_the_model_has(tagger: Tagger) -> None:
    tree = children(tagger.names)
    assert len(tree) == len(LAST_CHILD)
    assert all(kinds and parent not in kinds for parent, kinds in tree.items())
    dog, bark = tagger.names.index("Dog"), tagger.names.index("Bark")
    assert bark in tree[dog] and dog in tree[tagger.names.index("Animal")]
    used = {*NO_EVENTS, *SINGING, *USUAL, *(name for one in INSTRUMENTS.values() for name in one.classes)}
    assert used <= set(tagger.names)
    assert {name for one in INSTRUMENTS.values() for name in one.classes} <= set(USUAL)


def test_how_notes_fade_and_how_high_they_are_decides_between_like_names(tagger: Tagger) -> None:
    """The same names: what rings on low is no flute, what is held high is no electric bass."""
    names = list(INSTRUMENTS)
    tags = tagger.tag(np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32))
    held_high, ringing_low = Physics(0.0, 800.0), Physics(-10.0, 60.0)

    def ahead(physics: Physics, first: str, second: str) -> float:
        found = scores(tags, physics)
        return float(found[names.index(first)] - found[names.index(second)])

    assert ahead(held_high, "flute", "electric bass") > ahead(ringing_low, "flute", "electric bass") + 10
    assert ahead(Physics(-10.0, 400.0), "piano", "violin") == pytest.approx(
        ahead(Physics(0.0, 400.0), "piano", "violin") + 8.0
    )
    assert INSTRUMENTS["piano"].fading == RINGING and INSTRUMENTS["violin"].fading == HELD
    assert shares(scores(tags, held_high)).sum() == pytest.approx(1.0)


def test_wrong_files_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(MODEL, CLASSES)
    (tmp_path / "short.csv").write_text("index,mid,display_name\n0,/m/1,Speech\n")
    with pytest.raises(WeightsError, match="names 1 classes, not 521"):
        Tagger(weights_path(MODEL), tmp_path / "short.csv")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(WeightsError, match=r"holds 0 files \.onnx, not one"):
        Tagger(tmp_path / "empty.zip", weights_path(CLASSES))
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="weights fetch yamnet"):
        shared_tagger()
