"""Sound as BEATs takes it: windows of normalised log mel energies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
import torch.nn.functional as F

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio import END_TOLERANCE_S, AudioLoader
from lavis.datasets.loaders.base import Clip
from lavis.processors.base_processor import BaseProcessor, option
from lavis.processors.kaldi_fbank import kaldi_fbank

# Statistics of BEATs' training data, over samples on the scale of 16-bit integers.
FBANK_MEAN = 15.41663
FBANK_STD = 6.55582
INT16_SCALE = 2.0**15
N_MELS = 128
WINDOW_MS, SHIFT_MS = 25.0, 10.0


class BeatsAudioProcessor(BaseProcessor):
    """Turns a sound into ``n_frames`` windows of log mel energies; decodes no more of a file than they need.

    Args:
        sampling_rate: Hz of the sound that the filter bank sees; BEATs knows 16000.
        n_frames: windows.
        frame_length: rows of 10 ms per window; 512 are 5.12 s.
        fbank_mean: subtracted.
        fbank_std: half of what is divided by.
        coverage: ``first`` takes the windows one after the other from the start, as CREMA does (10.24 s in all);
            ``uniform`` puts one into the middle of each of ``n_frames`` equal parts of the sound. A sound that is
            not longer than the windows together is taken as by ``first``.

    Raises:
        ConfigError: another coverage, or a number below 1.
    """

    is_repeatable: ClassVar[bool] = True

    def __init__(
        self,
        sampling_rate: int = 16000,
        n_frames: int = 2,
        frame_length: int = 512,
        fbank_mean: float = FBANK_MEAN,
        fbank_std: float = FBANK_STD,
        coverage: Literal["first", "uniform"] = "first",
    ) -> None:
        super().__init__()
        if coverage not in ("first", "uniform"):
            raise ConfigError(f"beats_audio: coverage must be first or uniform, not {coverage!r}.")
        if min(sampling_rate, n_frames, frame_length) < 1 or not fbank_std > 0:
            raise ConfigError("beats_audio: sampling_rate, n_frames and frame_length start at 1, fbank_std above 0.")
        self.sampling_rate = sampling_rate
        self.n_frames = n_frames
        self.frame_length = frame_length
        self.fbank_mean = fbank_mean
        self.fbank_std = fbank_std
        self.coverage = coverage
        self.loader = AudioLoader(sample_rate_hz=sampling_rate)

    def __call__(self, item: Any, start_sec: float | None = None, end_sec: float | None = None) -> torch.Tensor:
        """Process a sound, or the span of it from ``start_sec`` to ``end_sec``.

        Rows that the sound is too short for are 0 after normalisation, as in CREMA.

        Args:
            item: a path, a :class:`Clip` of the audio loader, or samples [n] at ``sampling_rate``, full scale 1.
            start_sec: s from the sound's start; None is the start (of the clip, where a clip is given).
            end_sec: s from the sound's start; None is the end.

        Returns:
            float32 [n_frames, frame_length, 128].

        Raises:
            ModalityError: the file cannot be read, the span lies outside, or less than 25 ms are there; names the
                medium.
        """
        source = _source(item, self)
        start_s = source.starts_s if start_sec is None else float(start_sec)
        if self.coverage == "first":
            spans = [(start_s, self.n_frames)]
        else:
            spans = self._spread(start_s, source.end_s() if end_sec is None else float(end_sec))
        banks = [self._bank(source, start, n_windows, end_sec) for start, n_windows in spans]
        return torch.cat(banks).reshape(self.n_frames, self.frame_length, N_MELS)

    def _spread(self, start_s: float, end_s: float) -> list[tuple[float, int]]:
        """Return (start in s, windows) of each piece that is cut out."""
        window_s = self.frame_length * SHIFT_MS / 1000
        part_s = (end_s - start_s) / self.n_frames
        if part_s <= window_s:
            return [(start_s, self.n_frames)]
        return [(start_s + (number + 0.5) * part_s - window_s / 2, 1) for number in range(self.n_frames)]

    def _bank(self, source: _Source, start_s: float, n_windows: int, end_sec: float | None) -> torch.Tensor:
        n_rows = n_windows * self.frame_length
        needed_s = ((n_rows - 1) * SHIFT_MS + WINDOW_MS) / 1000
        if end_sec is not None and end_sec < start_s + needed_s:
            samples = source.read(start_s, float(end_sec), may_end_early=False)
        else:
            samples = source.read(start_s, start_s + needed_s, may_end_early=True)
        if len(samples) < int(self.sampling_rate * WINDOW_MS / 1000):
            raise ModalityError(
                f"{source.media_id}: audio {source.where} has {len(samples)} samples from {start_s:g} s on, fewer than "
                f"a filter bank's window of {WINDOW_MS:g} ms; leave audio out for it."
            )
        rows = kaldi_fbank(
            samples * INT16_SCALE,
            sample_rate_hz=self.sampling_rate,
            n_mels=N_MELS,
            frame_length_ms=WINDOW_MS,
            frame_shift_ms=SHIFT_MS,
        )[:n_rows]
        normal = (rows - self.fbank_mean) / (2 * self.fbank_std)
        return F.pad(normal, (0, 0, 0, n_rows - len(normal)))

    @classmethod
    def from_config(cls, cfg: Any = None) -> BeatsAudioProcessor:
        """Read ``sampling_rate``, ``n_frames``, ``frame_length``, ``fbank_mean``, ``fbank_std``, ``coverage``."""
        return cls(
            sampling_rate=int(option(cfg, "sampling_rate", 16000)),
            n_frames=int(option(cfg, "n_frames", 2)),
            frame_length=int(option(cfg, "frame_length", 512)),
            fbank_mean=float(option(cfg, "fbank_mean", FBANK_MEAN)),
            fbank_std=float(option(cfg, "fbank_std", FBANK_STD)),
            coverage=option(cfg, "coverage", "first"),
        )


class _Source(Protocol):
    """Where spans of one sound come from; times count from the sound's start."""

    media_id: str
    where: str
    starts_s: float

    def end_s(self) -> float: ...

    def read(self, start_s: float, end_s: float, *, may_end_early: bool) -> torch.Tensor: ...


class _FileSource:
    starts_s = 0.0

    def __init__(self, path: Path, loader: AudioLoader) -> None:
        self.path, self.loader = path, loader
        self.media_id, self.where = path.stem, str(path)

    def end_s(self) -> float:
        return self.loader.duration_s(self.path, media_id=self.media_id)

    def read(self, start_s: float, end_s: float, *, may_end_early: bool) -> torch.Tensor:
        clip = self.loader.load_span(
            self.path, media_id=self.media_id, start_s=start_s, end_s=end_s, may_end_early=may_end_early
        )
        return torch.from_numpy(clip.array)


class _SamplesSource:
    def __init__(self, samples: torch.Tensor, rate_hz: int, *, starts_s: float, media_id: str, where: str) -> None:
        self.samples, self.rate_hz, self.starts_s = samples, rate_hz, starts_s
        self.media_id, self.where = media_id, where

    def end_s(self) -> float:
        return self.starts_s + len(self.samples) / self.rate_hz

    def read(self, start_s: float, end_s: float, *, may_end_early: bool) -> torch.Tensor:
        first, last = (round((time_s - self.starts_s) * self.rate_hz) for time_s in (start_s, end_s))
        tolerated = len(self.samples) + round(END_TOLERANCE_S * self.rate_hz)
        if not 0 <= first < min(last, len(self.samples)) or (last > tolerated and not may_end_early):
            raise ModalityError(
                f"{self.media_id}: the span {start_s:g} … {end_s:g} s does not lie inside {self.where}, which reaches "
                f"from {self.starts_s:g} to {self.end_s():.2f} s."
            )
        return self.samples[first:last]


def _source(item: Any, processor: BeatsAudioProcessor) -> _Source:
    if isinstance(item, str | os.PathLike):
        return _FileSource(item if isinstance(item, Path) else Path(item), processor.loader)
    media_id, where, starts_s = "sound", "the samples", 0.0
    if isinstance(item, Clip):
        media_id, where = item.media_id, str(item.path)
        if item.rate_hz != processor.sampling_rate:
            raise ModalityError(
                f"{media_id}: audio {where} was loaded at {item.rate_hz} Hz, beats_audio wants "
                f"{processor.sampling_rate}; set the audio option sample_rate_hz."
            )
        starts_s = item.timestamps_s[0] if item.timestamps_s else 0.0
    # A loader's arrays may share memory that nobody may write; torch wants its own.
    samples = torch.tensor(item.array) if isinstance(item, Clip) else torch.as_tensor(item)
    if samples.ndim != 1 or not samples.is_floating_point():
        raise ModalityError(
            f"{media_id}: {where} is {samples.dtype} {tuple(samples.shape)}; a sound is floats [n], full scale 1."
        )
    return _SamplesSource(samples, processor.sampling_rate, starts_s=starts_s, media_id=media_id, where=where)
