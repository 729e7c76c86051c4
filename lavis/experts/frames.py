"""Frames as words: named objects, where they are, their colours, how they move and what changes over time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.colors import dominant_colors
from lavis.experts.detector import GRAPH, WEIGHTS, Detection, shared_detector
from lavis.experts.objects import color_of, named, where
from lavis.experts.tracks import MOVED, Track, follow
from lavis.experts.words import at_moment, between_moments, capital, counted, listed, moment, runs, spread

MAX_CHANGES = 6
MAX_MOVEMENTS = 6
SCENE_CHANGE = 0.5  # histogram distance 0 … 1 between neighbouring views
BRIGHTNESS_CHANGE = 25.0  # of 255, between the first and the last view
DARK, BRIGHT = 60.0, 190.0  # mean of 255
EDGE = 0.03  # a box this near to the picture's edge touches it


class FramesExpert(Expert):
    """Describes sampled frames with an object detector, tracks and plain colour names.

    The detector knows COCO's 80 kinds of object; other things are not seen. Neighbouring views that
    show the same are told once. Movements are those in the picture: where everything shifts together it
    is said to be the camera's.

    Args:
        min_confidence: detections below it are not mentioned.
        max_objects: at most so many objects per view are mentioned, the most certain first.
        max_lines: at most so many stretches of time are told one by one, evenly spread.
    """

    card = ExpertCard(
        name="frames",
        modality="frame",
        skill="A1",
        summary="objects seen in the frames: kinds, counts, colours, left/centre/right, movements, changes over time",
        version="2",
        cost="local",
    )
    weights = (WEIGHTS, GRAPH)

    def __init__(self, *, min_confidence: float = 0.5, max_objects: int = 8, max_lines: int = 12) -> None:
        if not 0.0 < min_confidence < 1.0 or max_objects < 1 or max_lines < 1:
            raise ConfigError(
                "model.experts.frames: min_confidence lies between 0 and 1, max_objects and max_lines are 1 or more."
            )
        self.min_confidence = min_confidence
        self.max_objects = max_objects
        self.max_lines = max_lines

    def write(self, clip: Clip) -> str:
        """Describe a clip of pictures.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB.

        Returns:
            What is seen over the clip, then a line per stretch of time (``At 0.5 s: one brown couch (left),
            two chairs (centre, right).``), how things move, what changes, and the colours of the picture.

        Raises:
            ModalityError: the clip has no frame; names the medium and the path.
            WeightsError: the detector's files are not in the cache; says how to fetch them.
        """
        if len(clip.array) == 0:
            raise ModalityError(f"{clip.media_id}: there is no {clip.modality} to look at ({clip.path}).")
        detector = shared_detector()
        seen = [
            detector.detect(picture, min_confidence=self.min_confidence)[: self.max_objects] for picture in clip.array
        ]
        said = [_view(picture, found) for picture, found in zip(clip.array, seen, strict=True)]
        cuts = scene_changes(clip)
        tracks = follow(seen, cuts=cuts)
        lines = [_overall(seen)]
        if any(seen):
            stretches = runs(said)
            kept = [stretches[k] for k in spread(len(stretches), self.max_lines)]
            lines += [f"{capital(between_moments(clip, a, b))}: {said[a]}." for a, b in kept]
            if len(kept) < len(stretches):
                lines.append(f"{len(stretches) - len(kept)} stretches of time between these are left out.")
        lines += _movements(clip, tracks)
        lines += _changes(clip, seen, tracks, cuts)
        lines.append(f"Main colours: {listed(dominant_colors(clip.array))}{_light(clip)}.")
        return "\n".join(lines)


def _overall(seen: list[tuple[Detection, ...]]) -> str:
    most: Counter[str] = Counter()
    for found in seen:
        most |= Counter(one.label for one in found)
    if not most:
        return "No known kind of object is recognised in the frames."
    kinds = sorted(most, key=lambda label: (-most[label], label))
    return f"Objects recognised (most at one time): {', '.join(counted(most[label], label) for label in kinds)}."


def _view(picture: npt.NDArray[np.uint8], found: tuple[Detection, ...]) -> str:
    """Return ``one brown couch (left), two chairs (centre, right)``; objects from the left to the right."""
    kinds: dict[str, list[Detection]] = {}
    for one in sorted(found, key=lambda one: (one.center, one.label)):
        kinds.setdefault(one.label, []).append(one)
    words = []
    for label in sorted(kinds, key=lambda label: (-len(kinds[label]), label)):
        group = kinds[label]
        colors = [color_of(picture, one.box) for one in group]
        shared = colors[0] if len(set(colors)) == 1 else ""
        places = [
            where(one.box) if shared else f"{color} {where(one.box)}" for one, color in zip(group, colors, strict=True)
        ]
        words.append(f"{named(label, shared, number=len(group))} ({', '.join(places)})")
    return ", ".join(words) or "nothing recognised"


def _movements(clip: Clip, tracks: list[Track]) -> list[str]:
    """Return how things that were seen more than once move in the picture, as at most one line."""
    moving = [track for track in tracks if track.motion() not in ("", "stays where it is")]
    still = [track for track in tracks if track.motion() == "stays where it is"]
    shifts = [track.shift[0] for track in moving if abs(track.shift[0]) >= MOVED]
    parts = []
    if len(shifts) > 1 and not still and len({shift > 0 for shift in shifts}) == 1:
        way, other = ("right", "left") if shifts[0] > 0 else ("left", "right")
        parts.append(f"everything shifts to the {way} (probably the camera turns or moves {other})")
        moving = [track for track in moving if abs(track.shift[0]) < MOVED]
    moving.sort(key=lambda track: (-len(track.views), -abs(track.shift[0]), track.views, track.label))
    parts += [
        f"{track.label} {track.motion()}{_doubt(track, still)} "
        f"({moment(clip, track.views[0])} to {moment(clip, track.views[-1])})"
        for track in moving[:MAX_MOVEMENTS]
    ]
    if still:
        parts.append(f"{listed(dict.fromkeys(track.label for track in still))} without clear movement")
    return [f"In the picture: {'; '.join(parts)}."] if parts else []


def _doubt(track: Track, still: list[Track]) -> str:
    """Return ``, or the camera moves`` where nothing stands still beside a track that crosses the picture."""
    beside = any(len(set(track.views) & set(other.views)) > 1 for other in still)
    return "" if beside or "moves" not in track.motion() else ", or the camera moves"


def _changes(clip: Clip, seen: list[tuple[Detection, ...]], tracks: list[Track], cuts: tuple[int, ...]) -> list[str]:
    """Return what comes into view and leaves it, hard changes of scene, and brightness, as at most one line."""
    labels = [{one.label for one in found} for found in seen]
    parts = []
    for label in sorted(set().union(*labels)):
        present = [label in found for found in labels]
        first, last = present.index(True), len(present) - 1 - present[::-1].index(True)
        if all(present[first : last + 1]):  # what flickers is the detector's doubt, not a change
            if first > 0:
                edge = _edge(tracks, label, first, begins=True) if first not in cuts else ""
                parts.append(f"{label} is first seen {at_moment(clip, first)}{edge}")
            if last < len(present) - 1:
                edge = _edge(tracks, label, last, begins=False) if last + 1 not in cuts else ""
                parts.append(f"{label} is no longer seen {at_moment(clip, last + 1)}{edge}")
    parts += [f"the scene changes {at_moment(clip, view)}" for view in cuts]
    change = float(clip.array[-1].mean()) - float(clip.array[0].mean())
    if abs(change) >= BRIGHTNESS_CHANGE:
        parts.append(f"the picture gets {'brighter' if change > 0 else 'darker'}")
    return [f"Changes: {'; '.join(parts[-MAX_CHANGES:])}."] if parts else []


def _edge(tracks: list[Track], label: str, view: int, *, begins: bool) -> str:
    """Return `` (enters at the left)`` where the only object of a kind touches a side of the picture as it comes."""
    ends = [
        track.found[0 if begins else -1]
        for track in tracks
        if track.label == label and track.views[0 if begins else -1] == view
    ]
    if len(ends) != 1:
        return ""
    left, _, right, _ = ends[0].box
    touches_left, touches_right = left <= EDGE, right >= 1 - EDGE
    side = "" if touches_left == touches_right else "left" if touches_left else "right"
    return f" ({'enters' if begins else 'leaves'} at the {side})" if side else ""


def scene_changes(clip: Clip) -> tuple[int, ...]:
    """Return the views of a clip of frames [t, h, w, 3] that show other colours than the view before."""
    histograms = [_histogram(picture) for picture in clip.array]
    return tuple(
        view
        for view in range(1, len(histograms))
        if float(np.abs(histograms[view] - histograms[view - 1]).sum()) / 2 >= SCENE_CHANGE
    )


def _light(clip: Clip) -> str:
    mean = float(clip.array.mean())
    return "; the picture is dark" if mean < DARK else "; the picture is bright" if mean > BRIGHT else ""


def _histogram(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return shares of 64 coarse colours."""
    coarse = (picture[::2, ::2] >> 6).reshape(-1, 3).astype(np.int64)
    counts = np.bincount(coarse[:, 0] * 16 + coarse[:, 1] * 4 + coarse[:, 2], minlength=64)
    return np.asarray(counts / counts.sum())
