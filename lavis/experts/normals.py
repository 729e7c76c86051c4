"""Surface normals as words: how much floor, wall and ceiling a clip shows, and where."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.words import at_moment, capital, listed, spread, thirds

UP = np.array([0.0, -1.0, 0.0], dtype=np.float32)  # camera frame: x right, y down, z forward
MAX_TILT_DEG = 40.0  # a camera held lower or higher than this doesn't say which way is up
SIDED = 1.5  # one half must show this many times the other's wall to be called its side
EDGE_DEG = 30.0  # neighbours that differ by more belong to two surfaces
CLUTTERED_EDGES = 0.06
GRID_PX = 64


@dataclasses.dataclass(frozen=True)
class NormalsView:
    """One frame in shares of its known pixels.

    Attributes:
        floor, wall, ceiling: shares 0 … 1; what is missing to 1 is other surfaces.
        wall_left, wall_right: share of wall in the left and the right half, of the half's known pixels.
        edges: share of neighbouring points ahead that lie on two surfaces.
    """

    floor: float
    wall: float
    ceiling: float
    wall_left: float
    wall_right: float
    edges: float


class NormalsExpert(Expert):
    """Names the planes of each frame by their direction and the share of the picture they fill.

    A normal can't tell a floor from a table top, nor a wall from the side of a box: the shares are
    of level and of upright surfaces. Up is found in the clip itself, so that a camera that looks
    somewhat down or up is told right.

    Args:
        tolerance_deg: how far a normal may be from a plane's.
        max_views: at most so many views are described one by one, evenly spread, the last among them.
    """

    card = ExpertCard(
        name="normals",
        modality="norm",
        skill="A2",
        summary="floor, wall and ceiling shares per frame, and open or cluttered surroundings",
        version="1",
        cue=r"\b(floor|ceiling|walls?|cluttered|messy|tidy|neat|open space)\b",
    )

    def __init__(self, *, tolerance_deg: float = 20.0, max_views: int = 3) -> None:
        if not 0.0 < tolerance_deg < 45.0 or max_views < 1:
            raise ConfigError("model.experts.normals: tolerance_deg lies between 0 and 45, max_views is 1 or more.")
        self.cos_tolerance = float(np.cos(np.deg2rad(tolerance_deg)))
        self.sin_tolerance = float(np.sin(np.deg2rad(tolerance_deg)))
        self.max_views = max_views

    def write(self, clip: Clip) -> str:
        """Describe a clip of unit normals.

        Args:
            clip: normals [t, h, w, 3], unit vectors in the camera frame, NaN where unknown.

        Returns:
            The clip's mean shares, one line per chosen view (``At 3.2 s: floor 31 %, walls 44 % (mostly
            left), open ahead.``), then the last view.

        Raises:
            ModalityError: no frame has a known normal; names the medium and the path.
        """
        views = [view for view, normals in enumerate(clip.array) if np.isfinite(normals[..., 0]).any()]
        if not views:
            raise ModalityError(f"{clip.media_id}: no frame of {clip.modality} has a known normal ({clip.path}).")
        measured = [self._measure(clip.array[view]) for view in views]
        lines = []
        if len(views) > 1:
            floor, wall, ceiling = (
                float(np.mean([getattr(one, plane) for one in measured])) for plane in ("floor", "wall", "ceiling")
            )
            lines.append(f"On average: {_shares(floor, wall, ceiling)}.")
        for k in spread(len(views), self.max_views)[:-1]:
            lines.append(f"{capital(at_moment(clip, views[k]))}: {_describe(measured[k])}.")
        last = measured[-1]
        lines.append(f"In the last view ({at_moment(clip, views[-1])}): {_describe(last)}; {_compare(last)}.")
        return "\n".join(lines)

    def _measure(self, normals: npt.NDArray[np.float32]) -> NormalsView:
        known: npt.NDArray[np.bool_] = np.isfinite(normals[..., 0])  # a normal is known or NaN as a whole
        height: npt.NDArray[np.float32] = np.where(known, normals @ _up(normals[known]), np.float32(np.nan))
        wall: npt.NDArray[np.bool_] = np.less_equal(np.abs(height), self.sin_tolerance)
        half = wall.shape[1] // 2
        return NormalsView(
            floor=float((height >= self.cos_tolerance).sum() / known.sum()),
            wall=float(wall.sum() / known.sum()),
            ceiling=float((height <= -self.cos_tolerance).sum() / known.sum()),
            wall_left=float(wall[:, :half].sum() / max(1, known[:, :half].sum())),
            wall_right=float(wall[:, -half:].sum() / max(1, known[:, -half:].sum())) if half else 0.0,
            edges=_edges(normals[:, thirds(normals.shape[1])[1]]),
        )


def _up(known: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the unit vector that level surfaces share, near ``UP``; ``UP`` itself where nothing is level."""
    up = UP
    for max_deg in (MAX_TILT_DEG, MAX_TILT_DEG / 2, MAX_TILT_DEG / 4):
        heights = known @ up
        level = np.abs(heights) >= np.cos(np.deg2rad(max_deg))
        total = (known[level] * np.sign(heights[level])[:, None]).sum(axis=0, dtype=np.float64)
        length = float(np.linalg.norm(total))
        if length == 0.0:
            return up
        up = (total / length).astype(np.float32)
    return up


def _edges(normals: npt.NDArray[np.float32]) -> float:
    """Return the share of neighbours on a grid of about ``GRID_PX`` rows that lie on two surfaces; 0 if none known."""
    stride = max(1, normals.shape[0] // GRID_PX)
    grid = normals[::stride, ::stride]
    cosines = np.concatenate(
        [(grid[1:] * grid[:-1]).sum(axis=-1).ravel(), (grid[:, 1:] * grid[:, :-1]).sum(axis=-1).ravel()]
    )
    cosines = cosines[np.isfinite(cosines)]
    return float((cosines < np.cos(np.deg2rad(EDGE_DEG))).mean()) if cosines.size else 0.0


def _plane(name: str, share: float) -> str:
    """Return ``floor 31 %``; ``no ceiling`` below half a percent."""
    return f"{name} {_percent(share)}" if share >= 0.005 else f"no {name}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _shares(floor: float, wall: float, ceiling: float, *, side: str = "") -> str:
    other = max(0.0, 1.0 - floor - wall - ceiling)
    parts = [_plane("floor", floor), _plane("walls", wall) + side, _plane("ceiling", ceiling)]
    return ", ".join([*parts, f"other surfaces {_percent(other)}"] if other >= 0.05 else parts)


def _describe(view: NormalsView) -> str:
    side = ""
    if max(view.wall_left, view.wall_right) >= SIDED * min(view.wall_left, view.wall_right) and view.wall >= 0.05:
        side = " (mostly left)" if view.wall_left > view.wall_right else " (mostly right)"
    ahead = "cluttered ahead" if view.edges >= CLUTTERED_EDGES else "open ahead"
    return f"{_shares(view.floor, view.wall, view.ceiling, side=side)}, {ahead}"


def _compare(view: NormalsView) -> str:
    """Return ``more wall than floor and than ceiling``-like words, from the most to the least."""
    shares = {"wall": view.wall, "floor": view.floor, "ceiling": view.ceiling}
    order = sorted(shares, key=lambda plane: -round(shares[plane], 2))
    seen = [plane for plane in order if shares[plane] >= 0.01]
    return f"more {seen[0]} than {listed(seen[1:])}" if len(seen) > 1 else f"only {seen[0]}" if seen else "no plane"
