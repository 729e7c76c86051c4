"""What a room is made of: boxes with a look, things made of boxes, and the way a camera takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Literal

Vector = tuple[float, float, float]
Facing = Literal["east", "north", "west", "south"]

QUARTER_TURNS: dict[str, int] = {"south": 0, "east": 1, "north": 2, "west": 3}

# Colours by the plain names that questions use, as RGB 0 … 255.
COLORS: dict[str, tuple[int, int, int]] = {
    "white": (243, 243, 241),
    "black": (38, 38, 40),
    "grey": (140, 142, 145),
    "brown": (126, 80, 44),
    "beige": (222, 205, 172),
    "red": (188, 44, 40),
    "orange": (232, 130, 32),
    "yellow": (236, 204, 62),
    "green": (66, 142, 74),
    "blue": (52, 98, 178),
    "purple": (122, 72, 152),
    "pink": (232, 150, 174),
}


@dataclasses.dataclass(frozen=True)
class Box:
    """An axis-aligned box in m, z up.

    Attributes:
        low_m, high_m: opposite corners.
        color: a name out of ``COLORS``.
        texture: a name out of :mod:`lavis.datasets.sample.textures`.
        photo: the photograph on its largest upright faces; empty for none.
    """

    low_m: Vector
    high_m: Vector
    color: str
    texture: str = "plain"
    photo: str = ""


@dataclasses.dataclass(frozen=True)
class Thing:
    """A labelled object.

    Attributes:
        label: its name.
        color: the plain name of its main colour.
        boxes: its parts.
        on_wall: True for what hangs on a wall or is part of it.
        shows: what its photograph shows; empty for none.
    """

    label: str
    color: str
    boxes: tuple[Box, ...]
    on_wall: bool = False
    shows: str = ""

    @property
    def low_m(self) -> Vector:
        """Lower corner of the box around all parts."""
        return _corner(self.boxes, "low_m", min)

    @property
    def high_m(self) -> Vector:
        """Upper corner of the box around all parts."""
        return _corner(self.boxes, "high_m", max)

    @property
    def center_m(self) -> Vector:
        """Middle of the box around all parts."""
        x, y, z = ((low + high) / 2 for low, high in zip(self.low_m, self.high_m, strict=True))
        return x, y, z

    @property
    def size_m(self) -> Vector:
        """Extents of the box around all parts."""
        x, y, z = (high - low for low, high in zip(self.low_m, self.high_m, strict=True))
        return x, y, z


@dataclasses.dataclass(frozen=True)
class Stand:
    """Where an agent stands: x, y in m, and the yaw of its gaze in degrees, counter-clockwise from +x."""

    x_m: float
    y_m: float
    yaw_deg: float

    @property
    def forward(self) -> tuple[float, float]:
        """The unit gaze in the ground plane."""
        return math.cos(math.radians(self.yaw_deg)), math.sin(math.radians(self.yaw_deg))


@dataclasses.dataclass(frozen=True)
class Walk:
    """How the camera comes to the stand where it ends.

    Attributes:
        end: the last frame's stand.
        moves: in order, each a turn (``turn``, degrees to the left) or a straight way (``walk``, m forward).
        pitch_deg: of the camera, up is positive.
    """

    end: Stand
    moves: tuple[tuple[Literal["turn", "walk"], float], ...]
    pitch_deg: float


@dataclasses.dataclass(frozen=True)
class Room:
    """One furnished room; its middle is the origin and its floor z = 0.

    Attributes:
        scene_id: shaped like ScanNet's ids.
        name: what kind of room.
        size_m: extents along x, y, z.
        wall: colour name.
        floor: (texture, colour name).
        things: what is in it.
        walk: the camera's way.
        stands: further stands that questions are asked from.
    """

    scene_id: str
    name: str
    size_m: Vector
    wall: str
    floor: tuple[str, str]
    things: tuple[Thing, ...]
    walk: Walk
    stands: tuple[Stand, ...]


def turned(boxes: tuple[Box, ...], x_m: float, y_m: float, facing: str, z_m: float = 0.0) -> tuple[Box, ...]:
    """Move boxes made around the origin with their front to the south to a place, front to ``facing``."""
    moved = []
    for box in boxes:
        (x0, y0, z0), (x1, y1, z1) = box.low_m, box.high_m
        for _ in range(QUARTER_TURNS[facing]):
            x0, y0, x1, y1 = -y1, x0, -y0, x1
        low = (round(x0 + x_m, 6), round(y0 + y_m, 6), round(z0 + z_m, 6))
        high = (round(x1 + x_m, 6), round(y1 + y_m, 6), round(z1 + z_m, 6))
        moved.append(dataclasses.replace(box, low_m=low, high_m=high))
    return tuple(moved)


def _corner(boxes: tuple[Box, ...], name: str, choose: Callable[[Iterable[float]], float]) -> Vector:
    corners = [getattr(box, name) for box in boxes]
    x, y, z = (choose(corner[axis] for corner in corners) for axis in range(3))
    return x, y, z
