"""Depth as words: what is near and far, which side is nearer, the space ahead, and how far named objects are."""

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
from lavis.experts.tracks import follow
from lavis.experts.words import at_moment, capital, metres, spread, thirds

NEAREST_PERCENTILE, FARTHEST_PERCENTILE = 2.0, 98.0  # single stray pixels have no say
AS_FAR = 0.9  # sides whose distances agree to a tenth are equally far
MAX_NAMED = 8  # objects that are given a distance
MAX_APPROACHES = 3
APPROACH = 0.2  # of its distance: how much an object's must change to be told


@dataclasses.dataclass(frozen=True)
class DepthView:
    """One depth map in numbers, all in m; NaN where the part is unknown.

    Attributes:
        nearest_m, farthest_m: of the whole view, without the outermost 2 %.
        left_m, center_m, right_m: medians of the thirds.
        ahead_m: median of the middle of the view.
    """

    nearest_m: float
    farthest_m: float
    left_m: float
    center_m: float
    right_m: float
    ahead_m: float


def measure(depth_m: npt.NDArray[np.float32]) -> DepthView | None:
    """Measure one map [h, w] in m, NaN where unknown; None where all of it is."""
    known = depth_m[np.isfinite(depth_m)]
    if known.size == 0:
        return None
    rows, columns = (thirds(size) for size in depth_m.shape)
    nearest, farthest = np.percentile(known, [NEAREST_PERCENTILE, FARTHEST_PERCENTILE])
    return DepthView(
        nearest_m=float(nearest),
        farthest_m=float(farthest),
        left_m=_median(depth_m[:, columns[0]]),
        center_m=_median(depth_m[:, columns[1]]),
        right_m=_median(depth_m[:, columns[2]]),
        ahead_m=_median(depth_m[rows[1], columns[1]]),
    )


def _median(part: npt.NDArray[np.float32]) -> float:
    known = part[np.isfinite(part)]
    return float(np.median(known)) if known.size else float("nan")


class DepthExpert(Expert):
    """Says distances in metres over the clip, and apart from that in the last view.

    Where the medium has frames too, objects that are detected in them get the distance of their middle.

    Args:
        max_views: at most so many views are described one by one, evenly spread, the last among them.
        objects: whether to look for objects in the frames.
    """

    card = ExpertCard(
        name="depth",
        modality="depth",
        skill="A2",
        summary="distances in metres: nearest and farthest surface, which side is nearer, free space straight ahead, "
        "how far each recognised object is",
        version="2",
        cost="local",
        companions=("frame",),
    )
    weights = (WEIGHTS, GRAPH)

    def __init__(self, *, max_views: int = 3, objects: bool = True) -> None:
        if max_views < 1:
            raise ConfigError(f"model.experts.depth.max_views: {max_views} shows nothing; give 1 or more.")
        self.max_views = max_views
        self.objects = objects

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the detector's files, unless objects are left out."""
        return cls.weights if options.get("objects", True) else ()

    def write(self, clip: Clip, *, frame: Clip | None = None) -> str:
        """Describe a clip of depth maps.

        Args:
            clip: depth [t, h, w] in m, NaN where unknown.
            frame: pictures [t, h, w, 3] uint8 RGB of the same views; None where there are none.

        Returns:
            The whole clip in one line, a line per chosen view, then the last view: ``In the last view (at
            3.8 s): straight ahead 2.1 m, … The left side is nearer (0.9 m) than the right (2.4 m).`` Then,
            with frames, the objects: ``Objects, nearest first: the chair at the left is 1.2 m away, …``

        Raises:
            ModalityError: no depth is known in any view, or the frames are of other views; names the medium
                and the path.
            WeightsError: there are frames, and the detector's files are not in the cache.
        """
        measured = [(view, measure(depth_m)) for view, depth_m in enumerate(clip.array)]
        views = [(view, numbers) for view, numbers in measured if numbers is not None]
        if not views:
            raise ModalityError(f"{clip.media_id}: no {clip.modality} is known in any frame ({clip.path}).")
        lines = [_overall(clip, views)] if len(views) > 1 else []
        chosen = [views[k] for k in spread(len(views), self.max_views)][:-1]
        lines += [f"{capital(at_moment(clip, view))}: {_short(numbers)}." for view, numbers in chosen]
        view, numbers = views[-1]
        extremes = f"nearest {metres(numbers.nearest_m)}, farthest {metres(numbers.farthest_m)}"
        lines.append(f"In the last view ({at_moment(clip, view)}): {_short(numbers)}, {extremes}. {_sides(numbers)}")
        if frame is not None and self.objects:
            lines += _objects(clip, objects_by_view(clip, frame))
        return "\n".join(lines)


def _overall(clip: Clip, views: list[tuple[int, DepthView]]) -> str:
    nearest = min(views, key=lambda one: one[1].nearest_m)
    farthest = max(views, key=lambda one: one[1].farthest_m)
    return (
        f"Over the whole clip the nearest surface is {metres(nearest[1].nearest_m)} away "
        f"({at_moment(clip, nearest[0])}), the farthest {metres(farthest[1].farthest_m)} "
        f"({at_moment(clip, farthest[0])})."
    )


def _short(numbers: DepthView) -> str:
    parts = (("straight ahead", numbers.ahead_m), ("left", numbers.left_m), ("right", numbers.right_m))
    return ", ".join(f"{name} {_or_unknown(length_m)}" for name, length_m in parts)


def _or_unknown(length_m: float) -> str:
    return "unknown" if np.isnan(length_m) else metres(length_m)


def _sides(numbers: DepthView) -> str:
    """Return which side is nearer, as a sentence; which is not known where a side is not."""
    left, right = numbers.left_m, numbers.right_m
    if np.isnan(left) or np.isnan(right):
        return "Which side is nearer is not known."
    if min(left, right) >= AS_FAR * max(left, right):
        return f"Left and right are about equally far ({metres(left)} and {metres(right)})."
    near, far = ("left", "right") if left < right else ("right", "left")
    return f"The {near} side is nearer ({metres(min(left, right))}) than the {far} ({metres(max(left, right))})."


def _distance_m(depth_m: npt.NDArray[np.float32], one: Detection) -> float | None:
    """Return the median distance of the middle of an object; None where too little of it is known."""
    values = values_of(depth_m, one)
    return None if values is None else float(np.median(values))


def _objects(clip: Clip, seen: Sequence[Sequence[Detection]]) -> list[str]:
    """Return how far every kind of object is where it was last seen, nearest first, and whose distance changes."""
    last_view: dict[str, int] = {}
    for view, found in enumerate(seen):
        for one in found:
            if _distance_m(clip.array[view], one) is not None:
                last_view[one.label] = view
    placed = []
    for label, view in last_view.items():
        for one in seen[view]:
            length_m = _distance_m(clip.array[view], one) if one.label == label else None
            if length_m is not None:
                when = "" if view == len(seen) - 1 else f" {at_moment(clip, view)}"
                placed.append((length_m, called(one, seen[view]), when))
    if not placed:
        return []
    words = [
        f"{name} {'is ' if n == 0 else ''}{metres(length_m)}{' away' if n == 0 else ''}{when}"
        for n, (length_m, name, when) in enumerate(sorted(placed)[:MAX_NAMED])
    ]
    return [f"Objects, nearest first, each where it was last seen: {', '.join(words)}.", *_approaches(clip, seen)]


def _approaches(clip: Clip, seen: Sequence[Sequence[Detection]]) -> list[str]:
    """Return objects whose distance changes while they are followed, the greatest change first."""
    changes = []
    for track in follow(seen):
        lengths = [
            (view, length_m)
            for view, one in zip(track.views, track.found, strict=True)
            if (length_m := _distance_m(clip.array[view], one)) is not None
        ]
        if len(lengths) > 1:
            (first, from_m), (last, to_m) = lengths[0], lengths[-1]
            change = abs(to_m - from_m) / max(from_m, to_m)
            if change >= APPROACH:
                way = "falls" if to_m < from_m else "grows"
                changes.append(
                    (
                        -change,
                        f"to the {track.label} it {way} from {metres(from_m)} {at_moment(clip, first)} "
                        f"to {metres(to_m)} {at_moment(clip, last)}",
                    )
                )
    words = [text for _, text in sorted(changes)[:MAX_APPROACHES]]
    return [f"Distance over time: {'; '.join(words)}."] if words else []
