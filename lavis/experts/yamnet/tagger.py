"""YAMNet on onnxruntime: the probability of 521 kinds of sound over time."""

from __future__ import annotations

import csv
import dataclasses
import functools
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lavis.common.errors import WeightsError
from lavis.experts.yamnet.log_mel import HOP, PATCH_S, RATE_HZ, log_mel, patch_starts, patches

MODEL = "yamnet_w8a8"
CLASSES = "yamnet_classes"
N_CLASSES = 521
# The model's own quantisation (initialisers audio_* and class_scores_* of the graph).
INPUT_SCALE, INPUT_ZERO = 0.04793788, 144
OUTPUT_SCALE, OUTPUT_ZERO = 0.75653791, 190
# Scores come in steps of 0.76; neighbouring patches that overlap by three quarters smooth them.
HOP_FRAMES = 24

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Tags:
    """What is heard in overlapping stretches of a sound.

    Attributes:
        names: the classes' names, [521].
        logits: [p, 521]; the sigmoid is the probability.
        spans_s: (from, to) of each stretch, in s.
    """

    names: tuple[str, ...]
    logits: Floats
    spans_s: tuple[tuple[float, float], ...]

    @property
    def probabilities(self) -> Floats:
        """Probability of each class in each stretch [p, 521]; classes do not exclude each other."""
        # exp only of what is negative, so that nothing overflows
        power = np.exp(-np.abs(self.logits))
        return np.asarray(np.where(self.logits >= 0, 1.0, power) / (1.0 + power), dtype=np.float32)

    def smoothed(self) -> Floats:
        """Return probabilities as means over each stretch and its neighbours [p, 521]: single flashes are doubt."""
        padded = np.pad(self.probabilities, ((1, 1), (0, 0)), mode="edge")
        return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)

    def within(self, start_s: float, end_s: float) -> Tags:
        """Return the stretches whose middle lies in a span; the nearest one where none does."""
        middles = np.array([(a + b) / 2 for a, b in self.spans_s])
        kept = np.flatnonzero((middles >= start_s) & (middles < end_s))
        if len(kept) == 0:
            kept = np.array([int(np.abs(middles - (start_s + end_s) / 2).argmin())])
        return Tags(self.names, self.logits[kept], tuple(self.spans_s[k] for k in kept))


class Tagger:
    """A tagger whose network is shared by the threads of a process.

    Args:
        model: zip that holds the graph (``….onnx``) and its values (``….data``); they are read in memory.
        classes: table of the classes with a column ``display_name``.
    """

    def __init__(self, model: Path, classes: Path) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        with classes.open(encoding="utf-8", newline="") as stream:
            self.names = tuple(row["display_name"] for row in csv.DictReader(stream))
        if len(self.names) != N_CLASSES:
            raise WeightsError(f"{classes} names {len(self.names)} classes, not {N_CLASSES}.")
        with zipfile.ZipFile(model) as archive:
            graph, values = (_member(archive, suffix) for suffix in (".onnx", ".data"))
        options = onnxruntime.SessionOptions()
        # A patch takes less than 1 ms; threads would cost more than they give.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_external_initializers_from_files_in_memory([values[0]], [values[1]], [len(values[1])])
        self._session: Any = onnxruntime.InferenceSession(graph[1], options, providers=["CPUExecutionProvider"])
        self._input: str = self._session.get_inputs()[0].name

    def tag(self, sound: npt.NDArray[np.floating], *, hop_frames: int = HOP_FRAMES) -> Tags:
        """Return what is heard in a sound.

        Args:
            sound: [n] at 16 kHz, full scale 1.
            hop_frames: 10 ms steps from one stretch to the next.
        """
        spectrogram = log_mel(sound)
        cut = patches(spectrogram, hop_frames)
        steps = np.clip(np.round(cut / INPUT_SCALE + INPUT_ZERO), 0, 255).astype(np.uint8)
        # The graph takes one patch at a time.
        scores = np.concatenate([self._session.run(None, {self._input: one[None, None]})[0] for one in steps])
        logits = (scores.astype(np.float32) - OUTPUT_ZERO) * np.float32(OUTPUT_SCALE)
        length_s = len(sound) / RATE_HZ
        starts_s = [start * HOP / RATE_HZ for start in patch_starts(len(spectrogram), hop_frames)]
        return Tags(self.names, logits, tuple((start, min(start + PATCH_S, length_s)) for start in starts_s))


def _member(archive: zipfile.ZipFile, suffix: str) -> tuple[str, bytes]:
    """Return the file name and bytes of the one member with a suffix."""
    found = [name for name in archive.namelist() if name.endswith(suffix)]
    if len(found) != 1:
        raise WeightsError(f"{archive.filename} holds {len(found)} files {suffix}, not one.")
    return Path(found[0]).name, archive.read(found[0])


@functools.lru_cache(maxsize=1)
def _load(model: Path, classes: Path) -> Tagger:
    return Tagger(model, classes)


_loading = threading.Lock()


def shared_tagger() -> Tagger:
    """Return the process's tagger, loading it when it is first asked for.

    Raises:
        WeightsError: its files are not in the cache; says how to fetch them.
    """
    from lavis.common.weights import weights_path

    with _loading:
        return _load(weights_path(MODEL), weights_path(CLASSES))
