"""Follows detected objects over the sampled frames of a clip, and says how each one moves in the picture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence

from lavis.experts.detector import Detection
from lavis.experts.objects import intersection_over_union

MAX_GAP = 1  # views in which a detector may miss an object without losing it
MAX_STEP = 1.0  # of the box's diagonal: how far an object goes between two looks at it
MAX_GROWTH = 3.0  # in area between two looks
MOVED = 0.15  # of the picture's width or height
NEARER = 1.6  # growth in area over the whole track


@dataclasses.dataclass(frozen=True)
class Track:
    """One object through the views of a clip.

    Attributes:
        label: its name.
        views: the views in which it was detected, ascending.
        found: its detection in each of them.
    """

    label: str
    views: tuple[int, ...]
    found: tuple[Detection, ...]

    @property
    def shift(self) -> tuple[float, float]:
        """How far its middle goes from the first view to the last, right and down, in shares of the picture."""
        (x0, y0), (x1, y1) = self.found[0].center, self.found[-1].center
        return x1 - x0, y1 - y0

    def motion(self) -> str:
        """Return what it does in the picture: ``moves from the left to the right`` …; empty if seen once."""
        if len(self.views) < 2:
            return ""
        right, down = self.shift
        before, after = self.found[0].area, self.found[-1].area
        parts = []
        if abs(right) >= MOVED:
            parts.append("moves from left to right" if right > 0 else "moves from right to left")
        elif abs(down) >= MOVED:
            parts.append("moves down" if down > 0 else "moves up")
        if before > 0 and after >= NEARER * before:
            parts.append("comes nearer")
        elif after > 0 and before >= NEARER * after:
            parts.append("gets farther away")
        return " and ".join(parts) or "stays where it is"


def follow(seen: Sequence[Sequence[Detection]], *, cuts: Collection[int] = ()) -> list[Track]:
    """Join detections of neighbouring views into tracks, the closest pairs first.

    Args:
        seen: the detections of each view.
        cuts: views that begin a new scene: nothing is followed into them.

    Returns:
        Every detection in exactly one track, in the order of first views and then of places from the left.
    """
    open_tracks: list[tuple[list[int], list[Detection]]] = []
    done: list[tuple[list[int], list[Detection]]] = []
    for view, found in enumerate(seen):
        still = [track for track in open_tracks if view not in cuts and view - track[0][-1] <= MAX_GAP + 1]
        done += [track for track in open_tracks if track not in still]
        pairs = sorted(
            (distance, n_track, n_found)
            for n_track, (_, past) in enumerate(still)
            for n_found, one in enumerate(found)
            if (distance := _distance(past[-1], one)) is not None
        )
        used_tracks: set[int] = set()
        used_found: set[int] = set()
        for _, n_track, n_found in pairs:
            if n_track in used_tracks or n_found in used_found:
                continue
            used_tracks.add(n_track)
            used_found.add(n_found)
            still[n_track][0].append(view)
            still[n_track][1].append(found[n_found])
        open_tracks = still + [([view], [one]) for n, one in enumerate(found) if n not in used_found]
    tracks = [Track(past[0].label, tuple(views), tuple(past)) for views, past in done + open_tracks]
    return sorted(tracks, key=lambda track: (track.views[0], track.found[0].center, track.label, track.views))


def _distance(past: Detection, now: Detection) -> float | None:
    """Return how far apart two detections are, 0 for the same box; None where they can't be one object."""
    if past.label != now.label:
        return None
    small, large = sorted((past.area, now.area))
    if small <= 0.0 or large > MAX_GROWTH * small:
        return None
    overlap = intersection_over_union(past.box, now.box)
    diagonal = math.hypot(past.box[2] - past.box[0], past.box[3] - past.box[1])
    step = math.dist(past.center, now.center) / diagonal
    if overlap == 0.0 and step > MAX_STEP:
        return None
    return round(step - overlap + 1.0, 9)
