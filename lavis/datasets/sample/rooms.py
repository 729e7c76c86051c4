"""The rooms of the sample: what stands where, how the camera comes in, and where questions are asked from.

x runs east and y north, in m from the middle of the room.
"""

from __future__ import annotations

from lavis.datasets.sample.furniture import FURNITURE
from lavis.datasets.sample.plan import Box, Room, Stand, Thing, Vector, Walk, turned

# What each photograph shows, in the word that a question asks for.
PHOTO_SHOWS = {"chelsea": "cat", "coffee": "cup", "astronaut": "person", "rocket": "rocket", "coins": "coins"}


def put(label: str, color: str, x_m: float, y_m: float, facing: str = "south", z_m: float = 0.0) -> Thing:
    """Stand a piece of furniture somewhere, its front to ``facing``."""
    return Thing(label, color, turned(FURNITURE[label](color), x_m, y_m, facing, z_m))


class Walls:
    """The four walls of a room of a given size, to hang things on."""

    def __init__(self, size_m: Vector) -> None:
        self.size_m = size_m

    def hang(
        self,
        label: str,
        color: str,
        wall: str,
        along_m: float,
        bottom_m: float,
        size_m: tuple[float, float],
        *,
        texture: str = "plain",
        frame: str = "",
        photo: str = "",
    ) -> Thing:
        """Hang something flat on a wall.

        Args:
            label: its name.
            color: of its face.
            wall: ``north``, ``east``, ``south`` or ``west``.
            along_m: where its middle is, along x for north and south, along y for east and west.
            bottom_m: height of its lower edge.
            size_m: (width, height).
            texture: of its face.
            frame: colour of a rim of 4 cm; empty for none.
            photo: name of a photograph; its face shows it.
        """
        width_m, height_m = size_m
        x = width_m / 2
        back = 0.03 if frame else 0.04
        face = Box((-x, -0.05, 0), (x, 0, height_m), color, texture, photo)
        parts = [face]
        if frame:
            rim = 0.05
            parts = [
                Box((-x + rim, -back, rim), (x - rim, 0, height_m - rim), color, texture, photo),
                Box((-x, -0.05, 0), (x, 0, rim), frame),
                Box((-x, -0.05, height_m - rim), (x, 0, height_m), frame),
                Box((-x, -0.05, rim), (-x + rim, 0, height_m - rim), frame),
                Box((x - rim, -0.05, rim), (x, 0, height_m - rim), frame),
            ]
        half_x, half_y = self.size_m[0] / 2, self.size_m[1] / 2
        place = {
            "north": (along_m, half_y, "south"),
            "south": (along_m, -half_y, "north"),
            "east": (half_x, along_m, "west"),
            "west": (-half_x, along_m, "east"),
        }[wall]
        return Thing(label, color, turned(tuple(parts), *place, bottom_m), True, PHOTO_SHOWS.get(photo, ""))

    def door(self, color: str, wall: str, along_m: float) -> Thing:
        """Make a closed door."""
        return self.hang("door", color, wall, along_m, 0.0, (0.9, 2.02), texture="panels", frame="white")

    def window(self, wall: str, along_m: float, width_m: float = 1.2) -> Thing:
        """Make a window with the sky in it."""
        return self.hang("window", "white", wall, along_m, 0.9, (width_m, 1.2), texture="sky", frame="white")

    def picture(
        self,
        photo: str,
        wall: str,
        along_m: float,
        size_m: tuple[float, float] = (1.5, 1.1),
        bottom_m: float = 1.0,
    ) -> Thing:
        """Make a framed photograph."""
        return self.hang("picture", "black", wall, along_m, bottom_m, size_m, frame="black", photo=photo)


def _living_room() -> Room:
    size = (5.6, 5.0, 2.7)
    walls = Walls(size)
    things = (
        put("rug", "red", 0.3, 0.4),
        put("sofa", "blue", 0.3, 2.0, "south"),
        put("coffee table", "brown", 0.3, 0.75, "south"),
        put("armchair", "green", -1.9, 0.8, "east"),
        put("floor lamp", "yellow", -2.4, 2.1),
        put("bookshelf", "brown", 2.6, 0.9, "west"),
        put("plant", "green", 2.4, 2.15),
        put("cabinet", "white", 0.3, -2.2, "north"),
        walls.hang("TV", "black", "south", 0.3, 1.0, (1.3, 0.76), texture="screen"),
        put("table", "brown", -1.6, -1.6, "south"),
        put("chair", "red", -1.6, -0.98, "south"),
        put("chair", "red", -2.53, -1.6, "east"),
        put("chair", "red", -0.65, -1.6, "west"),
        walls.picture("chelsea", "north", 0.3),
        walls.window("west", 0.8),
        walls.window("west", -1.2),
        walls.door("brown", "east", -1.6),
        put("box", "orange", 2.3, -0.55),
    )
    walk = Walk(Stand(0.9, -0.75, 100), (("turn", 70), ("walk", 0.9)), -6)
    stands = (Stand(1.3, -0.3, 0), Stand(0.3, -1.2, -90), Stand(-0.9, 0.6, 180))
    return Room("sample0000_00", "living room", size, "beige", ("wood", "brown"), things, walk, stands)


def _bedroom() -> Room:
    size = (4.8, 4.6, 2.6)
    walls = Walls(size)
    things = (
        put("bed", "purple", -0.6, 1.25, "south"),
        put("nightstand", "white", -1.7, 2.05, "south"),
        put("nightstand", "white", 0.5, 2.05, "south"),
        put("table lamp", "yellow", -1.7, 2.05, z_m=0.5),
        put("wardrobe", "brown", 2.1, -1.1, "west"),
        put("desk", "white", -1.0, -1.95, "north"),
        put("chair", "pink", -1.0, -1.3, "north"),
        put("monitor", "black", -0.8, -2.0, "north", 0.74),
        put("rug", "grey", 0.8, -0.4, "east"),
        put("plant", "green", 2.1, 2.0),
        put("trash can", "blue", -2.1, -2.05),
        put("armchair", "orange", 1.9, 0.7, "west"),
        walls.picture("rocket", "east", 0.4, (1.5, 1.05)),
        walls.window("west", 0.2, 1.4),
        walls.door("white", "south", 1.3),
        walls.hang("mirror", "grey", "west", -1.4, 0.6, (0.6, 1.4), texture="glass", frame="brown"),
    )
    walk = Walk(Stand(-0.3, -0.55, 15), (("turn", -65), ("walk", 0.8)), -5)
    stands = (Stand(0.9, -0.2, 130), Stand(0.95, -1.2, 180), Stand(0.8, 0.5, -100))
    return Room("sample0001_00", "bedroom", size, "blue", ("carpet", "grey"), things, walk, stands)


def _kitchen() -> Room:
    size = (4.6, 5.2, 2.6)
    walls = Walls(size)
    things = (
        put("kitchen counter", "white", -0.3, 2.28, "south"),
        put("stove", "black", 0.85, 2.28, "south"),
        put("refrigerator", "grey", 1.75, 2.2, "south"),
        put("microwave", "black", -0.6, 2.3, "south", 0.9),
        put("sink", "white", -1.6, 2.35, "south"),
        put("table", "brown", 0.2, -0.9, "south"),
        put("chair", "green", -0.25, -0.25, "south"),
        put("chair", "green", 0.65, -0.25, "south"),
        put("chair", "green", -0.25, -1.55, "north"),
        put("chair", "green", 0.65, -1.55, "north"),
        put("stool", "red", -1.9, 0.9),
        put("cabinet", "orange", -2.02, -0.9, "east"),
        put("trash can", "black", 2.05, 1.2),
        put("plant", "green", 1.9, -2.2),
        walls.picture("coffee", "west", -0.9, (1.5, 1.05)),
        walls.window("east", -0.7, 1.5),
        walls.door("brown", "south", -1.2),
        walls.hang("clock", "white", "south", 0.6, 1.8, (0.36, 0.36), frame="black"),
    )
    walk = Walk(Stand(-0.2, 0.75, 205), (("turn", 80), ("walk", 0.6)), -8)
    stands = (Stand(0.3, 1.1, 112), Stand(1.6, -0.9, 180), Stand(-1.3, -0.6, 0))
    return Room("sample0002_00", "kitchen", size, "yellow", ("tiles", "grey"), things, walk, stands)


def _office() -> Room:
    size = (6.0, 5.2, 2.8)
    walls = Walls(size)
    things = (
        put("desk", "brown", -1.5, 2.1, "south"),
        put("desk", "brown", 0.6, 2.1, "south"),
        put("office chair", "black", -1.5, 1.45, "north"),
        put("office chair", "black", 0.6, 1.45, "north"),
        put("monitor", "black", -1.5, 2.2, "south", 0.74),
        put("monitor", "black", 0.6, 2.2, "south", 0.74),
        put("bookshelf", "white", -2.8, -0.2, "east"),
        put("bookshelf", "white", -2.8, -1.3, "east"),
        put("cabinet", "grey", 2.7, 1.3, "west"),
        put("table", "white", 1.7, -1.4, "south"),
        put("stool", "blue", 1.3, -0.75, "south"),
        put("stool", "blue", 2.1, -0.75, "south"),
        put("stool", "blue", 1.7, -2.05, "north"),
        put("plant", "green", -2.6, 2.2),
        put("trash can", "red", -0.45, 2.3),
        put("backpack", "purple", 0.2, -2.3, "north"),
        walls.hang("whiteboard", "white", "east", -1.0, 0.9, (1.8, 1.1), frame="grey"),
        walls.picture("astronaut", "south", -1.5, (1.2, 1.2), 0.35),
        walls.window("north", -0.6, 1.4),
        walls.window("north", 1.9, 1.4),
        walls.door("brown", "west", 1.2),
    )
    walk = Walk(Stand(1.9, 0.0, 178), (("walk", 0.5), ("turn", -60)), -22)
    stands = (Stand(0.5, -0.3, 90), Stand(-0.5, -1.0, -120), Stand(0.2, -1.3, 0))
    return Room("sample0003_00", "office", size, "white", ("carpet", "blue"), things, walk, stands)


def _bathroom() -> Room:
    size = (4.0, 4.2, 2.5)
    walls = Walls(size)
    things = (
        put("bathtub", "white", 1.55, 0.9, "west"),
        put("toilet", "white", -1.6, 1.1, "east"),
        put("sink", "white", 0.0, 1.8, "south"),
        put("washing machine", "white", -1.6, -0.4, "east"),
        put("cabinet", "brown", 1.7, -1.2, "west"),
        put("trash can", "yellow", -0.9, 1.85),
        put("stool", "brown", 0.9, -1.75),
        put("rug", "pink", 0.0, 0.3, "east"),
        put("plant", "green", -1.7, -1.75),
        walls.hang("mirror", "grey", "north", 0.0, 1.15, (0.8, 0.9), texture="glass", frame="white"),
        walls.hang("towel", "red", "west", 0.35, 0.9, (0.5, 0.9), texture="fabric"),
        walls.hang("towel", "blue", "south", 1.5, 0.9, (0.5, 0.9), texture="fabric"),
        walls.picture("coins", "east", -0.9, (1.2, 0.95)),
        walls.window("north", 1.3, 0.9),
        walls.door("brown", "south", -0.3),
    )
    walk = Walk(Stand(-0.2, -0.2, -20), (("turn", -60), ("walk", -0.5)), 7)
    stands = (Stand(0.0, 0.75, 90), Stand(-0.4, 0.3, 150), Stand(0.2, -0.6, -90))
    return Room("sample0004_00", "bathroom", size, "green", ("tiles", "white"), things, walk, stands)


def _classroom() -> Room:
    size = (7.6, 6.8, 3.0)
    walls = Walls(size)
    rows = tuple(
        thing
        for x in (-2.2, 0.0, 2.2)
        for y in (-0.4, -2.0)
        for thing in (put("table", "beige", x, y), put("chair", "orange", x, y - 0.62, "north"))
    )
    things = (
        *rows,
        put("desk", "brown", -2.2, 1.9, "north"),
        put("stool", "black", -2.2, 2.6, "south"),
        put("monitor", "black", -2.0, 1.9, "north", 0.74),
        put("bookshelf", "red", 3.6, 0.6, "west"),
        put("cabinet", "blue", 3.5, 2.3, "west"),
        put("trash can", "black", 2.6, 3.1),
        put("plant", "green", 3.4, -3.0),
        walls.hang("blackboard", "black", "north", 0.4, 0.9, (3.0, 1.3), texture="chalk", frame="brown"),
        walls.picture("chelsea", "north", -2.7, (1.6, 1.15), 0.45),
        walls.window("west", -2.0, 1.6),
        walls.window("west", 0.2, 1.6),
        walls.window("west", 2.2, 1.6),
        walls.door("grey", "south", 2.9),
    )
    walk = Walk(Stand(1.0, 1.2, 150), (("turn", 75), ("walk", 0.9)), -22)
    stands = (Stand(1.1, 1.0, -90), Stand(0.4, 1.8, 90), Stand(2.2, 1.4, 30))
    return Room("sample0005_00", "classroom", size, "white", ("wood", "beige"), things, walk, stands)


def _dining_room() -> Room:
    size = (5.4, 5.6, 2.7)
    walls = Walls(size)
    things = (
        put("table", "white", 0.9, 0.9, "east"),
        put("chair", "black", 0.28, 0.6, "east"),
        put("chair", "black", 0.28, 1.2, "east"),
        put("chair", "black", 1.52, 0.6, "west"),
        put("chair", "black", 1.52, 1.2, "west"),
        put("chair", "black", 0.9, 1.85, "south"),
        put("cabinet", "brown", -2.42, 0.2, "east"),
        put("wardrobe", "white", -1.2, 2.45, "south"),
        put("sofa", "red", 0.2, -2.3, "north"),
        put("floor lamp", "white", 1.7, -2.4),
        put("plant", "green", -2.3, -2.3),
        put("bookshelf", "yellow", 2.5, -2.2, "west"),
        put("box", "brown", -2.3, 1.5, "east"),
        walls.hang("TV", "black", "north", 1.2, 1.1, (1.2, 0.7), texture="screen"),
        walls.picture("coffee", "south", 0.2, (1.5, 1.05)),
        walls.window("east", 1.0, 1.4),
        walls.window("east", -1.2, 1.4),
        walls.door("white", "west", -1.2),
    )
    walk = Walk(Stand(-0.5, -0.3, 235), (("turn", -60), ("walk", 0.5)), 6)
    stands = (Stand(-0.7, 0.7, 0), Stand(-0.9, -0.5, 180), Stand(0.3, -0.6, -90))
    return Room("sample0006_00", "dining room", size, "pink", ("wood", "brown"), things, walk, stands)


def _study() -> Room:
    size = (5.0, 4.6, 2.6)
    walls = Walls(size)
    things = (
        put("desk", "brown", -1.6, -1.9, "north"),
        put("office chair", "red", -1.6, -1.25, "north"),
        put("monitor", "black", -1.5, -1.95, "north", 0.74),
        put("bookshelf", "brown", -2.3, 0.2, "east"),
        put("bookshelf", "brown", -2.3, 1.25, "east"),
        put("bookshelf", "brown", 2.3, -1.3, "west"),
        put("sofa", "grey", 0.4, 1.85, "south"),
        put("coffee table", "white", 0.4, 0.7, "south"),
        put("floor lamp", "orange", 1.9, 1.9),
        put("plant", "green", -1.4, 2.0),
        put("stool", "blue", 1.0, -1.8),
        put("backpack", "red", 0.2, -2.1, "north"),
        put("trash can", "grey", -0.5, -2.0),
        put("rug", "yellow", 0.5, 0.3),
        walls.picture("astronaut", "north", 0.4, (1.2, 1.2)),
        walls.window("east", 0.6, 1.4),
        walls.door("white", "south", 1.7),
        walls.hang("clock", "black", "west", -1.4, 1.7, (0.36, 0.36), frame="white"),
    )
    walk = Walk(Stand(1.2, -0.5, 120), (("turn", -70), ("walk", -0.5)), -5)
    stands = (Stand(-0.6, 0.0, 225), Stand(-0.2, -0.9, -90), Stand(1.2, -0.4, 35))
    return Room("sample0007_00", "study", size, "purple", ("wood", "brown"), things, walk, stands)


def all_rooms() -> tuple[Room, ...]:
    """Return the rooms in the order of their ids."""
    makers = (_living_room, _bedroom, _kitchen, _office, _bathroom, _classroom, _dining_room, _study)
    return tuple(make() for make in makers)
