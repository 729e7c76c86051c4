"""Surface normals as words: how much floor, wall and ceiling a clip shows, where, and how flat objects stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.detector import GRAPH, WEIGHTS, Detection
from lavis.experts.objects_in_maps import called, objects_by_view, values_of
from lavis.experts.words import at_moment, capital, listed, spread, thirds

UP = np.array([0.0, -1.0, 0.0], dtype=np.float32)  # camera frame: x right, y down, z forward
MAX_TILT_DEG = 40.0  # a camera held lower or higher than this doesn't say which way is up
SIDED = 1.5  # one half must show this many times the other's wall to be called its side
EDGE_DEG = 30.0  # neighbours that differ by more belong to two surfaces
CLUTTERED_EDGES = 0.06
GRID_PX = 64
# Of other objects a plane says nothing.
FLAT = frozenset("dining table, bed, couch, bench, TV, laptop, book, refrigerator, oven, microwave".split(", "))
MIN_PLANE = 0.5  # of an object's middle that must be one plane
SIDEWAYS = 0.4  # of a unit normal: turned by more than about 25 degrees
MAX_PLANES = 4


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
    somewhat down or up is told right. Where the medium has frames too, it is said of detected objects with
    flat sides which way they face.

    Args:
        tolerance_deg: how far a normal may be from a plane's.
        max_views: at most so many views are described one by one, evenly spread, the last among them.
        objects: whether to look for objects in the frames.
    """

    card = ExpertCard(
        name="normals",
        modality="norm",
        skill="A2",
        summary="floor, wall and ceiling shares per frame, and open or cluttered surroundings",
        version="2",
        cost="local",
        companions=("frame",),
    )
    weights = (WEIGHTS, GRAPH)

    def __init__(self, *, tolerance_deg: float = 20.0, max_views: int = 3, objects: bool = True) -> None:
        if not 0.0 < tolerance_deg < 45.0 or max_views < 1:
            raise ConfigError("model.experts.normals: tolerance_deg lies between 0 and 45, max_views is 1 or more.")
        self.cos_tolerance = float(np.cos(np.deg2rad(tolerance_deg)))
        self.sin_tolerance = float(np.sin(np.deg2rad(tolerance_deg)))
        self.max_views = max_views
        self.objects = objects

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the detector's files, unless objects are left out."""
        return cls.weights if options.get("objects", True) else ()

    def write(self, clip: Clip, *, frame: Clip | None = None) -> str:
        """Describe a clip of unit normals.

        Args:
            clip: normals [t, h, w, 3], unit vectors in the camera frame, NaN where unknown.
            frame: pictures [t, h, w, 3] uint8 RGB of the same views; None where there are none.

        Returns:
            The clip's mean shares, one line per chosen view (``At 3.2 s: floor 31 %, walls 44 % (mostly
            left), open ahead.``), then the last view; with frames, the planes of flat objects.

        Raises:
            ModalityError: no frame has a known normal, or the frames are of other views; names the medium and
                the path.
            WeightsError: there are frames, and the detector's files are not in the cache.
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
        if frame is not None and self.objects:
            lines += self._flat_objects(clip, objects_by_view(clip, frame))
        return "\n".join(lines)

    def _flat_objects(self, clip: Clip, seen: Sequence[Sequence[Detection]]) -> list[str]:
        """Return how each kind of flat object stands where it was last seen."""
        told: dict[str, str] = {}
        for view in range(len(seen) - 1, -1, -1):
            known = np.isfinite(clip.array[view][..., 0])
            if not known.any():
                continue
            up = _up(clip.array[view][known])
            planes = {
                called(one, seen[view]): (one.label, words)
                for one in seen[view]
                if one.label in FLAT and one.label not in told and (words := self._plane_of(clip.array[view], one, up))
            }
            when = "" if view == len(seen) - 1 else f" ({at_moment(clip, view)})"
            for name, (label, words) in planes.items():
                told[label] = "; ".join(filter(None, (told.get(label), f"{name} {words}{when}")))
        return [f"Objects: {'; '.join(list(told.values())[:MAX_PLANES])}."] if told else []

    def _plane_of(self, normals: npt.NDArray[np.float32], one: Detection, up: npt.NDArray[np.float32]) -> str:
        """Return ``shows mostly its level top``, ``is upright and faces the camera``; empty where neither is clear."""
        values = values_of(normals, one)
        if values is None:
            return ""
        heights = values @ up
        level, upright = heights >= self.cos_tolerance, np.abs(heights) <= self.sin_tolerance
        if level.mean() >= MIN_PLANE:
            return f"shows mostly its level top ({_percent(float(level.mean()))})"
        if upright.mean() < MIN_PLANE:
            return ""
        to_right = float(np.mean(values[upright][:, 0]))
        way = "the camera" if abs(to_right) < SIDEWAYS else "right" if to_right > 0 else "left"
        return f"is upright and faces {way} ({_percent(float(upright.mean()))})"

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
