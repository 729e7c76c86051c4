"""Turns a point cloud whose points carry instance numbers into boxes that the scene experts read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.instances import Instance
from lavis.experts.colors import dominant_colors

MIN_POINTS = 10
STRAY_PERCENTILE = 1.0  # on each side of each axis: single wrong labels don't stretch a box


def instances_from_points(cloud: Clip, names: Mapping[int, str]) -> tuple[Instance, ...]:
    """Return a box for every named instance of a cloud, in the order of their numbers.

    Args:
        cloud: points [n, 3] in m, z up, with the extra ``instance`` [n] and perhaps ``rgb`` [n, 3] uint8.
        names: what each instance number is; numbers that are not named (0, -1 …) are no objects.

    Raises:
        ModalityError: the points have no instance numbers, are not in m, or no named instance has
            ``MIN_POINTS`` points; names the medium and the path.
    """
    numbers = cloud.extras.get("instance")
    if numbers is None:
        raise ModalityError(f"{cloud.media_id}: the points of {cloud.path} carry no instance numbers.")
    if cloud.unit != "m":
        raise ModalityError(f"{cloud.media_id}: the points of {cloud.path} are in {cloud.unit}, not in m.")
    rgb = cloud.extras.get("rgb")
    found = []
    for number in sorted(names):
        chosen = numbers == number
        if int(chosen.sum()) < MIN_POINTS:
            continue
        lowest, highest = np.percentile(cloud.array[chosen], [STRAY_PERCENTILE, 100.0 - STRAY_PERCENTILE], axis=0)
        center, size = (lowest + highest) / 2, highest - lowest
        found.append(
            Instance(
                instance_id=number,
                label=names[number],
                center_m=(float(center[0]), float(center[1]), float(center[2])),
                size_m=(float(size[0]), float(size[1]), float(size[2])),
                color=None if rgb is None else dominant_colors(rgb[chosen].astype(np.uint8), max_names=1)[0],
            )
        )
    if not found:
        raise ModalityError(
            f"{cloud.media_id}: none of the {len(names)} named instances has {MIN_POINTS} points in {cloud.path}."
        )
    return tuple(found)
