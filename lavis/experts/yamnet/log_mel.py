"""Sound as the pictures that YAMNet reads: log-mel spectrogram, cut into patches of about a second."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

# As YAMNet was trained (tensorflow/models, research/audioset/yamnet/params.py).
RATE_HZ = 16000
WINDOW, HOP, FFT = 400, 160, 512
N_MELS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.001
PATCH_FRAMES = 96
PATCH_S = PATCH_FRAMES * HOP / RATE_HZ
# Frames that are transformed at once: bounds memory on long sounds.
BLOCK_FRAMES = 6000

Floats = npt.NDArray[np.float32]


def log_mel(sound: npt.NDArray[np.floating]) -> Floats:
    """Return the log-mel spectrogram of a sound.

    Args:
        sound: [n] at 16 kHz, full scale 1; shorter than one patch it is continued with silence.

    Returns:
        [t, 64] natural log of mel magnitudes, a row every 10 ms.
    """
    needed = (PATCH_FRAMES - 1) * HOP + WINDOW
    padded = np.pad(sound.astype(np.float32), (0, max(0, needed - len(sound))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    blocks = []
    for start in range(0, len(windows), BLOCK_FRAMES):
        spectrum = np.abs(np.fft.rfft(windows[start : start + BLOCK_FRAMES] * hann, FFT)).astype(np.float32)
        # einsum, not BLAS: its sums do not depend on the number of threads.
        blocks.append(np.log(np.einsum("tf,fm->tm", spectrum, _mel_weights()) + np.float32(LOG_OFFSET)))
    return np.concatenate(blocks)


def patches(spectrogram: Floats, hop_frames: int) -> Floats:
    """Return overlapping patches [p, 96, 64]; the last one ends where the spectrogram does.

    Args:
        spectrogram: [t, 64], at least 96 rows.
        hop_frames: rows from one patch to the next.
    """
    starts = patch_starts(len(spectrogram), hop_frames)
    return np.stack([spectrogram[start : start + PATCH_FRAMES] for start in starts])


def patch_starts(n_frames: int, hop_frames: int) -> list[int]:
    """Return where patches begin, in frames: every ``hop_frames``, and one that ends with the sound."""
    last = max(0, n_frames - PATCH_FRAMES)
    return sorted({*range(0, last + 1, hop_frames), last})


@functools.lru_cache(maxsize=1)
def _mel_weights() -> Floats:
    """Return triangles [f, m] on the HTK mel scale; bin 0 has no weight."""

    def mel(hz: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
        return np.asarray(1127.0 * np.log1p(np.asarray(hz, dtype=np.float64) / 700.0))

    bins = mel(np.linspace(0.0, RATE_HZ / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), N_MELS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    weights[0] = 0.0
    return np.asarray(weights, dtype=np.float32)
