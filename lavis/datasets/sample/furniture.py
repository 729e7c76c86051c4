"""Furniture made of boxes, each piece around the origin with its front to the south (-y), in m."""

from __future__ import annotations

from collections.abc import Callable

from lavis.datasets.sample.plan import Box

Part = tuple[float, float, float, float, float, float]
Parts = tuple[Box, ...]


def _block(part: Part, color: str, texture: str = "plain") -> Box:
    return Box(part[:3], part[3:], color, texture)


def _legs(x: float, y: float, top: float, color: str, thick: float = 0.05) -> Parts:
    corners = [(sx * (x - thick), sy * (y - thick)) for sx in (-1, 1) for sy in (-1, 1)]
    return tuple(
        _block((cx - thick / 2, cy - thick / 2, 0, cx + thick / 2, cy + thick / 2, top), color, "wood")
        for cx, cy in corners
    )


def table(color: str, width: float = 1.4, depth: float = 0.8, height: float = 0.74) -> Parts:
    """Make a top on four legs."""
    x, y = width / 2, depth / 2
    top = _block((-x, -y, height - 0.05, x, y, height), color, "wood")
    return (top, *_legs(x, y, height - 0.05, color, 0.07))


def coffee_table(color: str) -> Parts:
    """Make a low table with a lower board."""
    board = _block((-0.42, -0.22, 0.12, 0.42, 0.22, 0.15), color, "wood")
    return (*table(color, 1.0, 0.55, 0.42), board)


def desk(color: str, width: float = 1.4) -> Parts:
    """Make a table with a chest of drawers under its left end."""
    x = width / 2
    drawers = _block((-x + 0.02, -0.3, 0.02, -x + 0.42, 0.33, 0.7), color, "drawers")
    return (*table(color, width, 0.7, 0.74), drawers)


def chair(color: str) -> Parts:
    """Make seat, back and legs."""
    seat = _block((-0.22, -0.22, 0.42, 0.22, 0.22, 0.47), color, "fabric")
    back = _block((-0.22, 0.18, 0.47, 0.22, 0.22, 0.92), color, "fabric")
    return (seat, back, *_legs(0.22, 0.22, 0.42, "brown", 0.04))


def office_chair(color: str) -> Parts:
    """Make a seat on a column with a star foot."""
    return (
        _block((-0.24, -0.24, 0.44, 0.24, 0.24, 0.52), color, "fabric"),
        _block((-0.22, 0.2, 0.58, 0.22, 0.26, 1.08), color, "fabric"),
        _block((-0.03, 0.2, 0.5, 0.03, 0.24, 0.6), "black"),
        _block((-0.03, -0.03, 0.06, 0.03, 0.03, 0.44), "black"),
        _block((-0.28, -0.03, 0.03, 0.28, 0.03, 0.07), "black"),
        _block((-0.03, -0.28, 0.03, 0.03, 0.28, 0.07), "black"),
    )


def stool(color: str) -> Parts:
    """Make a seat on four legs."""
    return (_block((-0.18, -0.18, 0.42, 0.18, 0.18, 0.47), color, "wood"), *_legs(0.17, 0.17, 0.42, color, 0.04))


def sofa(color: str, width: float = 2.0) -> Parts:
    """Make base, back, arms and two cushions."""
    x = width / 2
    return (
        _block((-x, -0.42, 0.08, x, 0.42, 0.3), color, "fabric"),
        _block((-x, 0.24, 0.3, x, 0.42, 0.82), color, "fabric"),
        _block((-x, -0.42, 0.3, -x + 0.16, 0.24, 0.6), color, "fabric"),
        _block((x - 0.16, -0.42, 0.3, x, 0.24, 0.6), color, "fabric"),
        _block((-x + 0.18, -0.4, 0.3, -0.01, 0.24, 0.44), color, "fabric"),
        _block((0.01, -0.4, 0.3, x - 0.18, 0.24, 0.44), color, "fabric"),
    )


def armchair(color: str) -> Parts:
    """Make a sofa for one."""
    return (
        _block((-0.42, -0.4, 0.08, 0.42, 0.4, 0.3), color, "fabric"),
        _block((-0.42, 0.24, 0.3, 0.42, 0.4, 0.85), color, "fabric"),
        _block((-0.42, -0.4, 0.3, -0.28, 0.24, 0.58), color, "fabric"),
        _block((0.28, -0.4, 0.3, 0.42, 0.24, 0.58), color, "fabric"),
        _block((-0.27, -0.38, 0.3, 0.27, 0.24, 0.44), color, "fabric"),
    )


def bed(color: str, width: float = 1.5) -> Parts:
    """Frame, mattress, cover, headboard at the back, two pillows."""
    x = width / 2
    return (
        _block((-x, -1.0, 0.1, x, 1.0, 0.3), "brown", "wood"),
        _block((-x + 0.03, -0.98, 0.3, x - 0.03, 0.95, 0.46), "white", "fabric"),
        _block((-x, -1.0, 0.4, x, 0.35, 0.52), color, "fabric"),
        _block((-x, 0.95, 0.1, x, 1.02, 1.0), "brown", "wood"),
        _block((-x + 0.1, 0.5, 0.46, -0.06, 0.88, 0.6), "white", "fabric"),
        _block((0.06, 0.5, 0.46, x - 0.1, 0.88, 0.6), "white", "fabric"),
    )


def bookshelf(color: str, width: float = 1.0, height: float = 1.9) -> Parts:
    """Make sides, boards, and rows of books."""
    x, step = width / 2, height / 5
    boards = [_block((-x, -0.15, k * step, x, 0.15, k * step + 0.03), color, "wood") for k in range(6)]
    sides = [_block((side - 0.02, -0.15, 0, side + 0.02, 0.15, height + 0.03), color, "wood") for side in (-x, x)]
    back = _block((-x, 0.13, 0, x, 0.15, height), color, "wood")
    books = [
        _block((-x + 0.04, -0.1, k * step + 0.03, x - 0.06 - 0.22 * (k % 2), 0.12, k * step + 0.27), "white", "books")
        for k in range(5)
    ]
    return (*boards, *sides, back, *books)


def cupboard(color: str, width: float = 1.2, depth: float = 0.5, height: float = 0.9) -> Parts:
    """Make a closed box with doors."""
    return (_block((-width / 2, -depth / 2, 0, width / 2, depth / 2, height), color, "doors"),)


def nightstand(color: str) -> Parts:
    """Make a small chest with a drawer."""
    return (_block((-0.22, -0.2, 0, 0.22, 0.2, 0.5), color, "drawers"),)


def wardrobe(color: str) -> Parts:
    """Make a tall cupboard."""
    return cupboard(color, 1.3, 0.6, 2.1)


def fridge(color: str) -> Parts:
    """Make a tall box with a handle."""
    return (
        _block((-0.32, -0.32, 0.03, 0.32, 0.32, 1.8), color),
        _block((-0.28, -0.36, 0.8, -0.25, -0.32, 1.5), "grey"),
        _block((-0.32, -0.325, 0.62, 0.32, -0.32, 0.635), "grey"),
    )


def stove(color: str) -> Parts:
    """Make an oven with four plates and a window."""
    plates = [
        _block((x - 0.09, y - 0.09, 0.9, x + 0.09, y + 0.09, 0.91), "black")
        for x in (-0.14, 0.14)
        for y in (-0.13, 0.14)
    ]
    return (
        _block((-0.3, -0.3, 0, 0.3, 0.3, 0.9), color),
        _block((-0.22, -0.31, 0.25, 0.22, -0.3, 0.6), "black"),
        _block((-0.25, -0.34, 0.68, 0.25, -0.31, 0.7), "grey"),
        *plates,
    )


def counter(color: str, width: float = 1.6) -> Parts:
    """Make a row of kitchen cupboards under a worktop."""
    x = width / 2
    return (
        _block((-x, -0.28, 0.06, x, 0.3, 0.86), color, "doors"),
        _block((-x, -0.3, 0.86, x, 0.3, 0.9), "grey", "stone"),
    )


def sink(color: str) -> Parts:
    """Make a basin on a column with a tap."""
    return (
        _block((-0.12, -0.05, 0, 0.12, 0.2, 0.7), color),
        _block((-0.28, -0.24, 0.7, 0.28, 0.22, 0.76), color),
        _block((-0.28, -0.24, 0.76, 0.28, -0.2, 0.86), color),
        _block((-0.28, 0.1, 0.76, 0.28, 0.22, 0.86), color),
        _block((-0.28, -0.2, 0.76, -0.24, 0.1, 0.86), color),
        _block((0.24, -0.2, 0.76, 0.28, 0.1, 0.86), color),
        _block((-0.02, 0.12, 0.86, 0.02, 0.16, 1.02), "grey"),
        _block((-0.02, 0.0, 1.0, 0.02, 0.16, 1.03), "grey"),
    )


def toilet(color: str) -> Parts:
    """Make bowl, seat and cistern."""
    return (
        _block((-0.16, -0.2, 0, 0.16, 0.12, 0.36), color),
        _block((-0.2, -0.32, 0.36, 0.2, 0.14, 0.42), color),
        _block((-0.22, 0.14, 0.36, 0.22, 0.32, 0.82), color),
    )


def bathtub(color: str) -> Parts:
    """Make a tub with four walls and water."""
    return (
        _block((-0.8, -0.38, 0, 0.8, 0.38, 0.3), color),
        _block((-0.8, -0.38, 0.3, 0.8, -0.3, 0.56), color),
        _block((-0.8, 0.3, 0.3, 0.8, 0.38, 0.56), color),
        _block((-0.8, -0.3, 0.3, -0.72, 0.3, 0.56), color),
        _block((0.72, -0.3, 0.3, 0.8, 0.3, 0.56), color),
    )


def washing_machine(color: str) -> Parts:
    """Make a box with a dark door."""
    return (
        _block((-0.3, -0.28, 0.02, 0.3, 0.3, 0.85), color),
        _block((-0.18, -0.3, 0.26, 0.18, -0.28, 0.62), "black"),
        _block((-0.28, -0.29, 0.72, 0.28, -0.28, 0.82), "grey"),
    )


def floor_lamp(color: str) -> Parts:
    """Make foot, pole and shade."""
    return (
        _block((-0.15, -0.15, 0, 0.15, 0.15, 0.03), "black"),
        _block((-0.015, -0.015, 0.03, 0.015, 0.015, 1.4), "black"),
        _block((-0.2, -0.2, 1.35, 0.2, 0.2, 1.65), color, "glow"),
    )


def plant(color: str) -> Parts:
    """Make a pot with leaves."""
    leaves = [
        (-0.05, -0.06, 0.35, 0.06, 0.05, 0.95),
        (-0.26, -0.12, 0.6, 0.02, 0.1, 0.85),
        (0.0, -0.08, 0.7, 0.27, 0.14, 0.98),
        (-0.1, -0.26, 0.78, 0.14, 0.0, 1.04),
        (-0.16, 0.0, 0.88, 0.1, 0.25, 1.16),
    ]
    pot = _block((-0.17, -0.17, 0, 0.17, 0.17, 0.35), "orange", "stone")
    return (pot, *(_block(leaf, color, "leaves") for leaf in leaves))


def trash_can(color: str) -> Parts:
    """Make an open bin."""
    return (
        _block((-0.15, -0.15, 0, 0.15, 0.15, 0.38), color),
        _block((-0.16, -0.16, 0.38, 0.16, 0.16, 0.42), color),
    )


def cardboard_box(color: str) -> Parts:
    """Make a closed box with tape."""
    return (_block((-0.25, -0.2, 0, 0.25, 0.2, 0.35), color), _block((-0.03, -0.201, 0, 0.03, 0.201, 0.351), "beige"))


def rug(color: str) -> Parts:
    """Make a flat carpet."""
    return (_block((-1.0, -0.7, 0, 1.0, 0.7, 0.015), color, "carpet"),)


def backpack(color: str) -> Parts:
    """Make a bag with a pocket."""
    return (
        _block((-0.16, -0.08, 0, 0.16, 0.1, 0.44), color, "fabric"),
        _block((-0.12, -0.14, 0.04, 0.12, -0.08, 0.24), color, "fabric"),
    )


def monitor(color: str) -> Parts:
    """Make a screen on a foot, to stand on a desk."""
    return (
        _block((-0.12, -0.08, 0, 0.12, 0.08, 0.02), color),
        _block((-0.03, -0.01, 0.02, 0.03, 0.03, 0.14), color),
        _block((-0.28, -0.02, 0.12, 0.28, 0.02, 0.46), color, "screen"),
    )


def table_lamp(color: str) -> Parts:
    """Make a small lamp, to stand on something."""
    return (
        _block((-0.03, -0.03, 0, 0.03, 0.03, 0.2), "grey"),
        _block((-0.12, -0.12, 0.18, 0.12, 0.12, 0.4), color, "glow"),
    )


def microwave(color: str) -> Parts:
    """Make a small oven with a dark window, to stand on something."""
    return (
        _block((-0.25, -0.18, 0, 0.25, 0.18, 0.3), color),
        _block((-0.22, -0.185, 0.04, 0.1, -0.18, 0.26), "black"),
    )


FURNITURE: dict[str, Callable[[str], Parts]] = {
    "table": table,
    "coffee table": coffee_table,
    "desk": desk,
    "chair": chair,
    "office chair": office_chair,
    "stool": stool,
    "sofa": sofa,
    "armchair": armchair,
    "bed": bed,
    "bookshelf": bookshelf,
    "cabinet": cupboard,
    "nightstand": nightstand,
    "wardrobe": wardrobe,
    "refrigerator": fridge,
    "stove": stove,
    "kitchen counter": counter,
    "sink": sink,
    "toilet": toilet,
    "bathtub": bathtub,
    "washing machine": washing_machine,
    "floor lamp": floor_lamp,
    "plant": plant,
    "trash can": trash_can,
    "box": cardboard_box,
    "rug": rug,
    "backpack": backpack,
    "monitor": monitor,
    "table lamp": table_lamp,
    "microwave": microwave,
}
SEATS = frozenset({"chair", "office chair", "stool", "sofa", "armchair", "bed"})
# What lies or stands on other things is no landmark to ask the way by.
ON_TOP = frozenset({"monitor", "table lamp", "microwave", "rug"})
