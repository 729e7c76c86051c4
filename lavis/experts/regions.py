"""Connected regions of a mask: where they are, how large, whether hollow or long."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Region:
    """One connected region of a picture.

    Attributes:
        box: left, top, right, bottom as shares of width and height.
        share: of the picture that it covers.
        mask: the region itself [h, w].
    """

    box: tuple[float, float, float, float]
    share: float
    mask: Mask


def find_regions(mask: Mask, *, min_share: float) -> list[Region]:
    """Return the connected regions (8 neighbours) of at least a share of the picture, the largest first."""
    import cv2

    height, width = mask.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = []
    for number in range(1, count):
        left, top, across, down, area = (int(value) for value in stats[number])
        if area >= min_share * mask.size:
            box = (left / width, top / height, (left + across) / width, (top + down) / height)
            found.append(Region(box, area / mask.size, np.asarray(labels == number)))
    return sorted(found, key=lambda region: (-region.share, region.box))


def is_hollow(mask: Mask, *, min_share: float = 0.2) -> bool:
    """Return whether a mask encloses a hole of at least a share of what it covers with the hole."""
    import cv2

    around = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(around, connectivity=4)
    holes = int(((labels != 0) & (labels != labels[0, 0])).sum())
    return holes >= min_share * (holes + int(mask.sum())) and holes > 0


def elongation(mask: Mask) -> tuple[float, float]:
    """Return how many times longer than wide a mask is, and which way it runs.

    Returns:
        Ratio of the standard deviations along the main axes (1 for a disc), and the long axis' angle in
        degrees above the picture's horizontal, -90 … 90.
    """
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, -rows]).astype(np.float64)
    spread = np.cov(points) if points.shape[1] > 1 else np.eye(2)
    values, vectors = np.linalg.eigh(spread)
    x, y = vectors[:, 1]
    angle_deg = float(np.rad2deg(np.arctan2(y, x)))
    angle_deg = angle_deg - 180.0 if angle_deg > 90.0 else angle_deg + 180.0 if angle_deg <= -90.0 else angle_deg
    return float(np.sqrt(values[1] / max(float(values[0]), 1e-6))), angle_deg


def direction_word(angle_deg: float) -> str:
    """Return how a line at an angle above the horizontal runs."""
    angle = abs(angle_deg)
    if angle <= 22.5:
        return "horizontally"
    if angle >= 67.5:
        return "vertically"
    return "diagonally, rising to the right" if angle_deg > 0 else "diagonally, falling to the right"
