"""Frames as words: named objects, where they are, their colours, and what changes over time."""

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
from lavis.experts.words import at_moment, between_moments, capital, counted, listed, runs

COLUMNS = ("left", "centre", "right")
WEARER = "person"  # whose colour is that of the clothes
MAX_CHANGES = 6
SCENE_CHANGE = 0.5  # histogram distance 0 … 1 between neighbouring views
BRIGHTNESS_CHANGE = 25.0  # of 255, between the first and the last view


class FramesExpert(Expert):
    """Describes sampled frames with an object detector and plain colour names.

    The detector knows COCO's 80 kinds of object; other things are not seen. Neighbouring views that
    show the same are told once.

    Args:
        min_confidence: detections below it are not mentioned.
        max_objects: at most so many objects per view are mentioned, the most certain first.
    """

    card = ExpertCard(
        name="frames",
        modality="frame",
        skill="A1",
        summary="objects seen in the frames: kinds, counts, colours, left/centre/right, and changes over time",
        version="1",
        cue=r"\b(colou?rs?|see|seen|visible|look like|pictures?|photos?|shows?|wearing|doing|happens?"
        r"|person|people|man|woman|child|dog|cat)\b",
        cost="local",
    )
    weights = (WEIGHTS, GRAPH)

    def __init__(self, *, min_confidence: float = 0.5, max_objects: int = 8) -> None:
        if not 0.0 < min_confidence < 1.0 or max_objects < 1:
            raise ConfigError("model.experts.frames: min_confidence lies between 0 and 1, max_objects is 1 or more.")
        self.min_confidence = min_confidence
        self.max_objects = max_objects

    def write(self, clip: Clip) -> str:
        """Describe a clip of pictures.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB.

        Returns:
            What is seen over the clip, then a line per stretch of time (``At 0.5 s: one brown couch (left),
            two chairs (centre, right).``), what changes, and the colours of the picture.

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
        lines = [_overall(seen)]
        if any(seen):
            lines += [f"{capital(between_moments(clip, a, b))}: {said[a]}." for a, b in runs(said)]
        lines += _changes(clip, seen)
        lines.append(f"Main colours: {listed(dominant_colors(clip.array))}.")
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
        colors = [_color(picture, one) for one in group]
        shared = colors[0] if len(set(colors)) == 1 else ""
        places = [_where(one) if shared else f"{color} {_where(one)}" for one, color in zip(group, colors, strict=True)]
        worn = label == WEARER and shared
        name = counted(len(group), label, adjective="" if worn else shared) + (f" in {shared}" if worn else "")
        words.append(f"{name} ({', '.join(places)})")
    return ", ".join(words) or "nothing recognised"


def _where(one: Detection) -> str:
    across, down = one.center
    column = COLUMNS[min(2, int(3 * across))]
    return f"upper {column}" if down < 1 / 3 else f"lower {column}" if down > 2 / 3 else column


def _color(picture: npt.NDArray[np.uint8], one: Detection) -> str:
    """Return the main colour of the middle half of a box: its rim is mostly background."""
    height, width, _ = picture.shape
    left, top, right, bottom = one.box
    inset_x, inset_y = (right - left) / 4, (bottom - top) / 4
    x0, x1 = int((left + inset_x) * width), int((right - inset_x) * width)
    y0, y1 = int((top + inset_y) * height), int((bottom - inset_y) * height)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    return dominant_colors(picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)], max_names=1)[0]


def _changes(clip: Clip, seen: list[tuple[Detection, ...]]) -> list[str]:
    """Return what comes into view and leaves it, hard changes of scene, and brightness, as at most one line."""
    labels = [{one.label for one in found} for found in seen]
    parts = []
    for label in sorted(set().union(*labels)):
        present = [label in found for found in labels]
        first, last = present.index(True), len(present) - 1 - present[::-1].index(True)
        if all(present[first : last + 1]):  # what flickers is the detector's doubt, not a change
            parts += [f"{label} is first seen {at_moment(clip, first)}"] if first > 0 else []
            parts += [f"{label} is no longer seen {at_moment(clip, last + 1)}"] if last < len(present) - 1 else []
    histograms = [_histogram(picture) for picture in clip.array]
    for view in range(1, len(histograms)):
        if float(np.abs(histograms[view] - histograms[view - 1]).sum()) / 2 >= SCENE_CHANGE:
            parts.append(f"the scene changes {at_moment(clip, view)}")
    change = float(clip.array[-1].mean()) - float(clip.array[0].mean())
    if abs(change) >= BRIGHTNESS_CHANGE:
        parts.append(f"the picture gets {'brighter' if change > 0 else 'darker'}")
    return [f"Changes: {'; '.join(parts[-MAX_CHANGES:])}."] if parts else []


def _histogram(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return shares of 64 coarse colours."""
    coarse = (picture[::2, ::2] >> 6).reshape(-1, 3).astype(np.int64)
    counts = np.bincount(coarse[:, 0] * 16 + coarse[:, 1] * 4 + coarse[:, 2], minlength=64)
    return np.asarray(counts / counts.sum())
