"""Plain colour names of pictures: the words in which people ask (brown, beige, grey …)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NAMES = ("black", "white", "grey", "red", "orange", "brown", "beige", "yellow", "green", "blue", "purple", "pink")
MAX_PIXELS = 16_384  # a share of a picture needs no more; keeps a frame at about a millisecond


def color_indices(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Name every pixel.

    Args:
        pixels: [n, 3] uint8 RGB.

    Returns:
        Positions in ``NAMES`` [n]. The bounds are of hue (degrees), saturation and value.
    """
    rgb = pixels.astype(np.float32) / 255.0
    value = rgb.max(axis=1)
    chroma = value - rgb.min(axis=1)
    saturation = np.where(value > 0, chroma / np.maximum(value, 1e-6), 0.0)
    hue = _hue_deg(rgb, value, chroma)

    warm = (hue >= 15) & (hue < 52)
    rules = [
        ("black", value < 0.18),
        ("beige", warm & (value >= 0.62) & (saturation >= 0.13) & (saturation < 0.42)),
        ("white", (saturation < 0.13) & (value >= 0.80)),
        ("grey", saturation < 0.16),
        ("brown", (hue >= 5) & (hue < 45) & (value < 0.66) & (saturation >= 0.2)),
        ("pink", ((hue >= 300) | (hue < 12)) & (saturation < 0.55) & (value >= 0.6)),
        ("red", (hue < 15) | (hue >= 345)),
        ("orange", hue < 42),
        ("yellow", hue < 62),
        ("green", hue < 170),
        ("blue", hue < 258),
        ("purple", hue < 315),
        ("pink", hue < 345),
    ]
    found = np.select([rule for _, rule in rules], [NAMES.index(name) for name, _ in rules])
    return np.asarray(found, dtype=np.int64)


def _hue_deg(
    rgb: npt.NDArray[np.float32], value: npt.NDArray[np.float32], chroma: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    safe = np.maximum(chroma, 1e-6)
    red, green, blue = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    sextant = np.where(
        value == red,
        ((green - blue) / safe) % 6.0,
        np.where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    return np.asarray(60.0 * sextant, dtype=np.float32)


def dominant_colors(picture: npt.NDArray[np.uint8], *, min_share: float = 0.15, max_names: int = 3) -> tuple[str, ...]:
    """Return the colours that fill a picture, the largest share first.

    Args:
        picture: [h, w, 3] uint8 RGB, or [n, 3] pixels; not empty.
        min_share: what a colour must fill to be named; the largest always is.
        max_names: at most so many.
    """
    pixels = picture.reshape(-1, 3)
    pixels = pixels[:: max(1, -(-len(pixels) // MAX_PIXELS))]
    shares = np.bincount(color_indices(pixels), minlength=len(NAMES)) / len(pixels)
    order = sorted(range(len(NAMES)), key=lambda k: (-shares[k], k))
    return tuple(NAMES[k] for n, k in enumerate(order[:max_names]) if n == 0 or shares[k] >= min_share)
