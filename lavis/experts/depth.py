"""Depth as words: what is near and far, which side is nearer, and how much space is ahead."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.words import at_moment, capital, metres, spread, thirds

NEAREST_PERCENTILE, FARTHEST_PERCENTILE = 2.0, 98.0  # single stray pixels have no say
AS_FAR = 0.9  # sides whose distances agree to a tenth are equally far


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

    Args:
        max_views: at most so many views are described one by one, evenly spread, the last among them.
    """

    card = ExpertCard(
        name="depth",
        modality="depth",
        skill="A2",
        summary="distances in metres: nearest and farthest surface, which side is nearer, free space straight ahead",
        version="1",
        cue=r"\b(far|near(er|est|by)?|close[rst]*|away|distance|space|met(re|er)s?|within reach|ahead|bump\w*)\b",
    )

    def __init__(self, *, max_views: int = 3) -> None:
        if max_views < 1:
            raise ConfigError(f"model.experts.depth.max_views: {max_views} shows nothing; give 1 or more.")
        self.max_views = max_views

    def write(self, clip: Clip) -> str:
        """Describe a clip of depth maps.

        Args:
            clip: depth [t, h, w] in m, NaN where unknown.

        Returns:
            The whole clip in one line, a line per chosen view, then the last view: ``In the last view (at
            3.8 s): straight ahead 2.1 m, … The left side is nearer (0.9 m) than the right (2.4 m).``

        Raises:
            ModalityError: no depth is known in any view; names the medium and the path.
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
