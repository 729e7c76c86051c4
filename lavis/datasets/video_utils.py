"""LAVIS's video helpers: which frames, their pixels, and a grid of them to look at."""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path
from typing import Any

from lavis.common.errors import ModalityError

MAX_INT = sys.maxsize
SAMPLINGS = ("uniform", "headtail", "random")


def sample_indices(
    count: int, n_frms: int = MAX_INT, sampling: str = "uniform", rng: random.Random | None = None
) -> list[int]:
    """Choose frames of a video.

    Args:
        count: frames the video has.
        n_frms: frames wanted; a shorter video gives what it has.
        sampling: ``uniform`` (evenly from the start), ``random`` (one of each of n_frms even parts)
            or ``headtail`` (half of the first half, the rest of the second, at random).
        rng: where chance comes from; None is Python's own.

    Returns:
        min(count, n_frms) ascending indices, each below ``count``.

    Raises:
        ValueError: an unknown sampling or a count or n_frms below 1.
    """
    if count < 1 or n_frms < 1:
        raise ValueError(f"Frames cannot be sampled: the video has {count}, {n_frms} are wanted.")
    chance: Any = rng or random
    n = min(count, n_frms)
    # Whole numbers: steps in floating point give one index too many, past the end, for some (count, n).
    bounds = [number * count // n for number in range(n + 1)]
    if sampling == "uniform":
        return bounds[:-1]
    if sampling == "random":
        return [chance.randrange(low, high) for low, high in itertools.pairwise(bounds)]
    if sampling == "headtail":
        head, middle = n // 2, count // 2
        return sorted(chance.sample(range(middle), head)) + sorted(chance.sample(range(middle, count), n - head))
    raise ValueError(f"Unknown sampling {sampling!r}; known: {', '.join(SAMPLINGS)}.")


def load_video(
    video_path: str | Path,
    n_frms: int = MAX_INT,
    height: int = -1,
    width: int = -1,
    sampling: str = "uniform",
    rng: random.Random | None = None,
) -> Any:
    """Decode frames of a video.

    Args:
        video_path: the file.
        n_frms: frames wanted; every frame by default.
        height: resize to this height in px; -1 keeps it.
        width: resize to this width in px; -1 keeps it.
        sampling: see :func:`sample_indices`.
        rng: see :func:`sample_indices`.

    Returns:
        float32 tensor [3, t, h, w], RGB in 0 … 255.

    Raises:
        ModalityError: the file is absent or cannot be decoded.
    """
    import torch

    from lavis.datasets.loaders.decoders import open_video
    from lavis.datasets.loaders.resizing import resize

    path = Path(video_path)
    if not path.is_file():
        raise ModalityError(f"{path}: there is no such video.")
    whole_size_px = (height, width) if height > 0 and width > 0 else None
    with open_video(path, media_id=path.stem, size_px=whole_size_px) as video:
        frames = video.read(sample_indices(video.n_frames, n_frms, sampling, rng))
    size_px = (height if height > 0 else frames.shape[1], width if width > 0 else frames.shape[2])
    resized = [torch.from_numpy(resize(frame, size_px)) for frame in frames]
    return torch.stack(resized).permute(3, 0, 1, 2).float()


def save_frames_grid(img_array: Any, out_path: str | Path, columns: int = 3) -> None:
    """Write frames side by side into one picture.

    Args:
        img_array: [c, h, w], [t, c, h, w] or [b, t, c, h, w]; uint8, or floats in 0 … 1.
        out_path: the picture; its suffix decides the format.
        columns: frames per row.

    Raises:
        ValueError: another number of axes or of channels than 1 or 3.
    """
    import numpy as np
    import torch
    from PIL import Image

    frames = torch.as_tensor(img_array)
    if frames.ndim not in (3, 4, 5) or frames.shape[-3] not in (1, 3):
        raise ValueError(f"A grid is made of [c, h, w], [t, c, h, w] or [b, t, c, h, w]; got {tuple(frames.shape)}.")
    frames = frames.reshape(-1, *frames.shape[-3:])
    if frames.dtype != torch.uint8:
        frames = (frames.float().clamp(0, 1) * 255).round().to(torch.uint8)
    pictures = frames.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    grid = np.zeros((rows * height, min(columns, count) * width, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * height, number % columns * width
        grid[top : top + height, left : left + width] = picture
    Image.fromarray(grid).save(out_path)
