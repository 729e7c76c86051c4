"""Speech as words: what is said and when, by Whisper tiny.en; music and noise are not turned into words."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Array, Clip
from lavis.datasets.loaders.captions import Caption
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.listening import listen, spans_s, told_spans
from lavis.experts.subtitles import joined
from lavis.experts.words import counted
from lavis.experts.yamnet import CLASSES, MODEL, Tags, shared_tagger
from lavis.experts.yamnet.log_mel import RATE_HZ

WHISPER = ("whisper_tiny_en_model", "whisper_tiny_en_config", "whisper_tiny_en_tokenizer", "whisper_tiny_en_vocabulary")
# From the first to the last of YAMNet's classes of speech, and rap; singing is left to the music expert.
SPEECH, MORE_SPEECH = ("Speech", "Whispering"), ("Rapping", "Conversation", "Chatter")
# Around what sounds like speech so much is kept: words begin softly.
MARGIN_S = 0.7
GAP_S = 1.0
# A line of which Whisper thinks that nobody speaks, or that repeats itself, is no speech.
NO_SPEECH, REPEATS = 0.8, 2.4
UNSURE, REFUSED = 0.55, 0.3
MAX_SPANS = 6

Floats = npt.NDArray[np.floating]


class SpeechExpert(Expert):
    """Transcribes English speech. Only stretches that YAMNet takes for speech reach Whisper.

    Args:
        min_speech: probability of speech, by YAMNet, from which on a stretch is transcribed.
        beam_size: hypotheses that are followed; 1 is faster and a little worse.
    """

    card = ExpertCard(
        name="speech",
        modality="audio",
        skill="B1",
        summary="transcript of what is said, in English, with times; says where nobody speaks",
        version="1",
        cost="local",
    )
    weights = (*WHISPER, MODEL, CLASSES)
    packages = ("faster_whisper", "onnxruntime")

    def __init__(self, *, min_speech: float = 0.25, beam_size: int = 5) -> None:
        if not 0.01 <= min_speech <= 0.95 or not 1 <= beam_size <= 10:
            raise ConfigError(
                "model.experts.speech: min_speech lies between 0.01 and 0.95, beam_size between 1 and 10."
            )
        self.min_speech = min_speech
        self.beam_size = beam_size

    def write(self, clip: Clip) -> str:
        """Transcribe the speech of a sound.

        Args:
            clip: audio [n] float32 at 16 kHz, full scale 1.

        Returns:
            A header, then a line per passage: ``- 0.6 to 9.8 s: It was the best of times …``; or that nobody speaks.

        Raises:
            ModalityError: shorter than 25 ms, or not at 16 kHz.
            WeightsError: the files of Whisper or YAMNet are not in the cache; says how to fetch them.
        """
        heard = listen(clip)
        if heard.is_silent:
            return f"The sound is {heard.length_s:.1f} s long and silent throughout: nobody speaks."
        tags = shared_tagger().tag(heard.sound)
        chance = speech_chance(tags)
        runs = spans_s(chance >= self.min_speech, list(tags.spans_s), gap_s=GAP_S)
        spans = [(start_s, min(end_s, heard.length_s)) for start_s, end_s, _ in runs]
        if not spans:
            return "\n".join([f"No speech is recognised (probability at most {chance.max():.2f}).", *heard.notes])
        found = _transcribe(only(heard.sound, spans), self.beam_size)
        said = [one for one in found if _is_speech(one)]
        times = f"Somebody speaks: {told_spans(spans, MAX_SPANS)} (probability {_mean_of(chance, runs):.2f})."
        left_out = len(found) - len(said)
        lines = [times, *heard.notes]
        if not said:
            return "\n".join(
                [
                    f"Perhaps s{times[1:]}",
                    *heard.notes,
                    "No words were understood (by Whisper tiny.en, English assumed).",
                ]
            )
        lines.append("Transcript (by Whisper tiny.en, English is assumed, names and numbers may be wrong):")
        lines += [str(passage) for passage in joined([_caption(one) for one in said])]
        if left_out:
            lines.append(f"{counted(left_out, 'doubtful line').capitalize()} left out.")
        return "\n".join(lines)


def speech_chance(tags: Tags) -> Floats:
    """Return the probability of speech in each stretch [p]."""
    first, last = (tags.names.index(name) for name in SPEECH)
    numbers = [*range(first, last + 1), *(tags.names.index(name) for name in MORE_SPEECH)]
    return np.asarray(tags.smoothed()[:, numbers].max(axis=1))


def only(sound: Array, spans: Iterable[tuple[float, float]]) -> Array:
    """Return a sound [n] that is silent outside spans in s and a margin around them; times stay the same."""
    kept = np.zeros_like(sound)
    for start_s, end_s in spans:
        begin, end = max(0, round((start_s - MARGIN_S) * RATE_HZ)), round((end_s + MARGIN_S) * RATE_HZ)
        kept[begin:end] = sound[begin:end]
    return kept


def _mean_of(chance: Floats, runs: list[tuple[float, float, Array]]) -> float:
    return float(np.concatenate([chance[numbers] for _, _, numbers in runs]).mean())


def _is_speech(segment: Any) -> bool:
    certain = float(np.exp(segment.avg_logprob))
    doubtful = segment.no_speech_prob >= NO_SPEECH or segment.compression_ratio >= REPEATS or certain < REFUSED
    return bool(segment.text.strip()) and not doubtful


def _caption(segment: Any) -> Caption:
    certain = float(np.exp(segment.avg_logprob))
    text = segment.text.strip() + (f" (uncertain, {certain:.2f})" if certain < UNSURE else "")
    return Caption(text, "", (float(segment.start), float(segment.end)))


def _transcribe(sound: Array, beam_size: int) -> list[Any]:
    """Return Whisper's segments; without sampling and without what it said before, so that a text decides itself."""
    model = shared_whisper()
    with _hearing:
        segments, _ = model.transcribe(
            sound,
            language="en",
            beam_size=beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=True,
        )
        return list(segments)


@functools.lru_cache(maxsize=1)
def _load(paths: tuple[Path, ...]) -> Any:
    from faster_whisper import WhisperModel  # type: ignore[import-untyped]

    # The cache keeps a folder per file, Whisper wants one folder; it is read whole, so the folder may go again.
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            try:
                os.symlink(path, Path(folder) / path.name)
            except OSError:  # a system that allows no links
                shutil.copy(path, folder)
        # Loading sets OpenMP's number of threads for the thread it runs in, which torch would go by afterwards.
        with ThreadPoolExecutor(max_workers=1) as elsewhere:
            return elsewhere.submit(
                WhisperModel,
                folder,
                device="cpu",
                compute_type="int8",
                # Several threads wait for each other by spinning: beside any other work they take ten times as long.
                cpu_threads=1,
                local_files_only=True,
            ).result()


_loading = threading.Lock()
_hearing = threading.Lock()  # transcripts one after another: the model keeps its state inside itself


def shared_whisper() -> Any:
    """Return the process's Whisper, loading it when it is first asked for.

    Raises:
        WeightsError: its files are not in the cache; says how to fetch them.
    """
    from lavis.common.weights import weights_path

    with _loading:
        return _load(tuple(weights_path(name) for name in WHISPER))
