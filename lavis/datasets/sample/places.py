"""Where a thing is from where an agent stands, with the margins that keep questions unambiguous."""

from __future__ import annotations

import math

import numpy as np

from lavis.datasets.sample.camera import EYE_M
from lavis.datasets.sample.furniture import ON_TOP
from lavis.datasets.sample.plan import Room, Stand, Thing
from lavis.datasets.sample.raycast import geometry

# The middle of a thing is this near to the axis of a side, and all of it this near.
CENTER_DEG, CORNER_DEG = 30.0, 75.0
SIDE_AXES_DEG = {"front": 0.0, "left": 90.0, "back": 180.0, "right": -90.0}
CLEAR_OF_BORDER_DEG = 15.0


def bearing_deg(stand: Stand, x_m: float, y_m: float) -> float:
    """Return the direction of a point from the gaze, positive to the left, -180 … 180."""
    absolute = math.degrees(math.atan2(y_m - stand.y_m, x_m - stand.x_m))
    return (absolute - stand.yaw_deg + 180) % 360 - 180


def center_bearing_deg(stand: Stand, thing: Thing) -> float:
    """Return the direction of a thing's middle."""
    return bearing_deg(stand, thing.center_m[0], thing.center_m[1])


def corner_bearings_deg(stand: Stand, thing: Thing) -> list[float]:
    """Return the directions of the four corners of a thing's outline."""
    xs, ys = (thing.low_m[0], thing.high_m[0]), (thing.low_m[1], thing.high_m[1])
    return [bearing_deg(stand, x, y) for x in xs for y in ys]


def distance_m(stand: Stand, thing: Thing) -> float:
    """Return the distance in the ground plane to the nearest point of a thing's outline."""
    x = max(thing.low_m[0] - stand.x_m, 0.0, stand.x_m - thing.high_m[0])
    y = max(thing.low_m[1] - stand.y_m, 0.0, stand.y_m - thing.high_m[1])
    return math.hypot(x, y)


def center_distance_m(stand: Stand, thing: Thing) -> float:
    """Return the distance in the ground plane to a thing's middle."""
    return math.hypot(thing.center_m[0] - stand.x_m, thing.center_m[1] - stand.y_m)


def clear_side(stand: Stand, thing: Thing) -> str:
    """Return ``front``, ``left``, ``back`` or ``right`` where that is beyond doubt, else an empty string."""
    for side, axis_deg in SIDE_AXES_DEG.items():
        if _off(center_bearing_deg(stand, thing), axis_deg) <= CENTER_DEG and all(
            _off(corner, axis_deg) <= CORNER_DEG for corner in corner_bearings_deg(stand, thing)
        ):
            return side
    return ""


def left_or_right(stand: Stand, thing: Thing) -> str:
    """Return ``left`` or ``right`` where all of a thing is clearly there, else an empty string."""
    return _half(stand, thing, {"left": 90.0, "right": -90.0})


def ahead_or_behind(stand: Stand, thing: Thing) -> str:
    """Return ``front`` or ``back`` where all of a thing is clearly there, else an empty string."""
    return _half(stand, thing, {"front": 0.0, "back": 180.0})


def _half(stand: Stand, thing: Thing, axes_deg: dict[str, float]) -> str:
    corners = [*corner_bearings_deg(stand, thing), center_bearing_deg(stand, thing)]
    for side, axis_deg in axes_deg.items():
        if all(_off(corner, axis_deg) <= 90 - CLEAR_OF_BORDER_DEG for corner in corners):
            return side
    return ""


def _off(angle_deg: float, axis_deg: float) -> float:
    return abs((angle_deg - axis_deg + 180) % 360 - 180)


def landmarks(room: Room) -> list[Thing]:
    """Return the things one can speak of as "the …": alone of their label, and not lying on another thing."""
    labels = [thing.label for thing in room.things]
    return [
        thing
        for thing in room.things
        if labels.count(thing.label) == 1 and thing.label not in ON_TOP and not may_mean_another(room, thing.label)
    ]


def may_mean_another(room: Room, label: str) -> bool:
    """Return whether a label is also the end of another one in the room: a table, where there is a coffee table."""
    return any(thing.label != label and thing.label.endswith(label) for thing in room.things)


def is_seen(room: Room, stand: Stand, thing: Thing) -> bool:
    """Return whether nothing stands between an agent's eye and the middle of a thing's face."""
    scene = geometry(room)
    eye = np.array([stand.x_m, stand.y_m, EYE_M])
    target = np.array([*thing.center_m[:2], thing.center_m[2]])
    ray = np.where(target == eye, 1e-9, target - eye)
    number = room.things.index(thing) + 1
    one, other = (scene.corners_m[:, 0] - eye) / ray, (scene.corners_m[:, 1] - eye) / ray
    enter, leave = np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)
    between = (enter < leave) & (enter > 0) & (enter < 1) & (scene.thing != number)
    return not bool(between.any())


def free_way_m(room: Room, stand: Stand, half_width_m: float = 0.3) -> float:
    """Return how far an agent can walk straight ahead before it touches a thing (not a rug) or a wall."""
    forward_x, forward_y = stand.forward
    for centimetres in range(0, 1000, 5):
        x, y = stand.x_m + forward_x * centimetres / 100, stand.y_m + forward_y * centimetres / 100
        if not is_free(room, x, y, half_width_m):
            return centimetres / 100
    return 10.0


def is_free(room: Room, x_m: float, y_m: float, radius_m: float) -> bool:
    """Return whether a person with a radius can stand at a point: inside the room, on no thing's outline."""
    if abs(x_m) > room.size_m[0] / 2 - radius_m or abs(y_m) > room.size_m[1] / 2 - radius_m:
        return False
    at = Stand(x_m, y_m, 0.0)
    floor_things = (thing for thing in room.things if thing.low_m[2] < 1.6 and thing.label != "rug")
    return all(distance_m(at, thing) >= radius_m for thing in floor_things if not thing.on_wall)
