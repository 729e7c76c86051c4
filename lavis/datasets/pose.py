"""SQA3D's quaternions: an agent's gaze from its annotation, and back.

The convention, in one place: the quaternion turns about z (yaw only), and what it turns is the x axis;
the agent looks the *opposite* way. The identity therefore looks along -x. Loaders published with other
models negate the rotation matrix for the same reason.
"""

from __future__ import annotations

import math

from lavis.common.errors import AnnotationError


def forward_from_quaternion(x: float, y: float, z: float, w: float) -> tuple[float, float]:
    """Return the unit gaze (x, y) in the ground plane of an annotated quaternion (any length above 0).

    Raises:
        AnnotationError: the quaternion is zero or turns the x axis upright, so there is no gaze in the plane.
    """
    turned_x = w * w + x * x - y * y - z * z
    turned_y = 2 * (x * y + z * w)
    length = math.hypot(turned_x, turned_y)
    if not length > 1e-9 * (x * x + y * y + z * z + w * w) or not math.isfinite(length):
        raise AnnotationError(f"the rotation {x, y, z, w} gives no gaze in the ground plane; correct the annotation.")
    return -turned_x / length, -turned_y / length


def quaternion_from_forward(forward: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return the annotated unit quaternion (x, y, z, w) of a gaze (x, y) in the ground plane.

    Raises:
        AnnotationError: the gaze has no direction.
    """
    if not math.hypot(*forward) > 0:
        raise AnnotationError(f"the gaze {forward} has no direction.")
    half_yaw = math.atan2(-forward[1], -forward[0]) / 2
    return 0.0, 0.0, math.sin(half_yaw), math.cos(half_yaw)
