"""Detected objects beside a map of the same views (depth, flow, normals): where each one lies in the map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.detector import Detection, shared_detector
from lavis.experts.objects import at_place, inner

MIN_CONFIDENCE = 0.5
MAX_OBJECTS = 8  # per view, the most certain first
MIN_KNOWN = 0.2  # of the middle of a box: what is known of less says nothing of the object


def objects_by_view(maps: Clip, frames: Clip) -> list[tuple[Detection, ...]]:
    """Return what is detected in each view of a clip of maps.

    Args:
        maps: the maps [t, …].
        frames: pictures [t, h, w, 3] uint8 RGB of the same views; their size in px may differ.

    Raises:
        ModalityError: the two clips are not of the same views; names both and their paths.
        WeightsError: the detector's files are not in the cache; says how to fetch them.
    """
    n_maps, n_frames = len(maps.array), len(frames.array)
    if n_maps != n_frames:
        raise ModalityError(
            f"{maps.media_id}: {maps.modality} has {n_maps} views ({maps.path}) but {frames.modality} {n_frames} "
            f"({frames.path}); objects can't be found in it. Give both the same frames, or set objects: false."
        )
    if maps.indices and frames.indices and maps.indices != frames.indices:
        raise ModalityError(
            f"{maps.media_id}: {maps.modality} ({maps.path}) and {frames.modality} ({frames.path}) are of different "
            f"frames, {list(maps.indices)} and {list(frames.indices)}. Sample both alike, or set objects: false."
        )
    detector = shared_detector()
    return [detector.detect(picture, min_confidence=MIN_CONFIDENCE)[:MAX_OBJECTS] for picture in frames.array]


def values_of(map_: Array, one: Detection) -> Array | None:
    """Return the known values [n, …] of a map [h, w, …] in the middle of an object; None where too few are known."""
    rows, columns = inner(one.box, map_.shape[0], map_.shape[1])
    values = map_[rows, columns].reshape(-1, *map_.shape[2:])
    known = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    return values[known] if known.mean() >= MIN_KNOWN else None


def called(one: Detection, found: Sequence[Detection]) -> str:
    """Return ``the chair at the left``, or ``the second chair from the left`` where that would not tell it apart."""
    name = f"the {one.label} {at_place(one.box)}"
    group = sorted((other for other in found if other.label == one.label), key=lambda other: (other.center, other.box))
    places = Counter(at_place(other.box) for other in group)
    if places[at_place(one.box)] <= 1:
        return name
    number = group.index(one)
    ordinals = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
    return f"the {ordinals[min(number, 7)]} {one.label} from the left"
