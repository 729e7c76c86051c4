"""Log mel filter-bank energies as Kaldi computes them, which is what BEATs was trained on.

Source: Kaldi's ``feature-window.cc``, ``mel-computations.cc`` and ``feature-fbank.cc`` with their defaults:
no dither, constant offset removed, pre-emphasis 0.97, Povey window, ``snip_edges``, power spectrum, no energy.
"""

from __future__ import annotations

import functools

import torch

PREEMPHASIS = 0.97
LOW_HZ = 20.0
EPSILON = torch.finfo(torch.float32).eps
# Computed in float64: next to a loud tone, float32's own rounding is what the quiet filters would show.
# Frames filtered at once; bounds memory for an hour of sound.
FRAMES_AT_ONCE = 4096


def n_frames_of(n_samples: int, *, frame_samples: int = 400, shift_samples: int = 160) -> int:
    """Return how many whole windows fit into a sound (``snip_edges``)."""
    return max(0, 1 + (n_samples - frame_samples) // shift_samples)


def kaldi_fbank(
    samples: torch.Tensor,
    *,
    sample_rate_hz: int = 16000,
    n_mels: int = 128,
    frame_length_ms: float = 25.0,
    frame_shift_ms: float = 10.0,
) -> torch.Tensor:
    """Compute log mel energies.

    Args:
        samples: [n] floats; Kaldi's own scale is that of 16-bit integers.
        sample_rate_hz: of the samples.
        n_mels: filters between 20 Hz and half the rate.
        frame_length_ms: window.
        frame_shift_ms: from one window to the next.

    Returns:
        float32 [t, n_mels], natural logarithm; t windows that lie wholly inside the sound.

    Raises:
        ValueError: not one axis, or shorter than one window.
    """
    frame = int(sample_rate_hz * frame_length_ms / 1000)
    shift = int(sample_rate_hz * frame_shift_ms / 1000)
    if samples.ndim != 1 or len(samples) < frame:
        raise ValueError(f"A filter bank needs samples [n], n at least {frame}; got {tuple(samples.shape)}.")
    n_fft = 1 << (frame - 1).bit_length()
    window = _povey_window(frame)
    filters = _mel_filters(n_fft, sample_rate_hz, n_mels)
    windows = samples.to(torch.float64).unfold(0, frame, shift)
    pieces = [_log_mel(piece, window, filters, n_fft) for piece in torch.split(windows, FRAMES_AT_ONCE)]
    return torch.cat(pieces).to(torch.float32)


def _log_mel(windows: torch.Tensor, window: torch.Tensor, filters: torch.Tensor, n_fft: int) -> torch.Tensor:
    centred = windows - windows.mean(dim=1, keepdim=True)
    # The first sample has none before it; Kaldi takes the sample itself for that.
    before = torch.cat([centred[:, :1], centred[:, :-1]], dim=1)
    spectrum = torch.fft.rfft((centred - PREEMPHASIS * before) * window, n=n_fft)
    power = spectrum.real.square() + spectrum.imag.square()
    energies: torch.Tensor = power[:, : n_fft // 2] @ filters.T
    return energies.clamp_min(EPSILON).log()


@functools.lru_cache(maxsize=4)
def _povey_window(n: int) -> torch.Tensor:
    return torch.hann_window(n, periodic=False, dtype=torch.float64).pow(0.85)


@functools.lru_cache(maxsize=4)
def _mel_filters(n_fft: int, sample_rate_hz: int, n_mels: int) -> torch.Tensor:
    """Return triangles [n_mels, n_fft / 2], equally wide in mel; the bin at half the rate belongs to none."""
    low, high = _mel(torch.tensor([LOW_HZ, sample_rate_hz / 2], dtype=torch.float64)).tolist()
    step = (high - low) / (n_mels + 1)
    left = low + step * torch.arange(n_mels, dtype=torch.float64).unsqueeze(1)
    bins = _mel(torch.arange(n_fft // 2, dtype=torch.float64) * sample_rate_hz / n_fft).unsqueeze(0)
    rising, falling = (bins - left) / step, (left + 2 * step - bins) / step
    return torch.minimum(rising, falling).clamp_min(0.0)


def _mel(hz: torch.Tensor) -> torch.Tensor:
    return 1127.0 * torch.log1p(hz / 700.0)
