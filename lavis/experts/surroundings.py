"""Tells indoors from outdoors by what is in a picture, where that says anything at all."""

from __future__ import annotations

from collections.abc import Sequence

from lavis.experts.detector import Detection
from lavis.experts.tagger import Tag

MIN_SUPPORT = 0.5  # sum of the certainties of what speaks for it


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split(", "))


INDOOR_OBJECTS = _names("bed, couch, TV, toilet, oven, microwave, refrigerator, sink, toaster")
OUTDOOR_OBJECTS = _names(
    "traffic light, fire hydrant, stop sign, parking meter, airplane, boat, train, bus, car, truck, skis, "
    "snowboard, surfboard, elephant, giraffe, zebra, bear, cow, sheep, horse"
)
# ImageNet's names.
INDOOR_TAGS = _names(
    "studio couch, four-poster, quilt, wardrobe, bookcase, dining table, home theater, window shade, "
    "table lamp, refrigerator, microwave, dishwasher, stove, washbasin, bathtub, shower curtain, toilet seat, "
    "medicine chest, china cabinet, desk, library, bookshop, restaurant, grocery store, barbershop, "
    "entertainment center, television, crib, bassinet, rocking chair, theater curtain"
)
OUTDOOR_TAGS = _names(
    "alp, cliff, geyser, lakeside, promontory, sandbar, seashore, valley, volcano, park bench, street sign, "
    "traffic light, viaduct, suspension bridge, steel arch bridge, picket fence, barn, chainlink fence, "
    "worm fence, boathouse, castle, church, mosque, palace, monastery, dam, pier, breakwater, beacon, patio, "
    "mobile home, trailer truck, streetcar, mountain tent"
)


def surroundings(found: Sequence[Detection], tags: Sequence[Tag]) -> str:
    """Return ``probably indoors (bed 0.98, studio couch 0.77)``; empty where nothing or both speak for a side."""
    sides = {
        "indoors": _support(found, tags, INDOOR_OBJECTS, INDOOR_TAGS),
        "outdoors": _support(found, tags, OUTDOOR_OBJECTS, OUTDOOR_TAGS),
    }
    spoken = {side: support for side, support in sides.items() if support}
    if len(spoken) != 1:
        return ""
    side, support = next(iter(spoken.items()))
    if sum(support.values()) < MIN_SUPPORT:
        return ""
    strongest = sorted(support, key=lambda name: (-support[name], name))[:3]
    return f"probably {side} ({', '.join(f'{name} {support[name]:.2f}' for name in strongest)})"


def _support(
    found: Sequence[Detection], tags: Sequence[Tag], objects: frozenset[str], names: frozenset[str]
) -> dict[str, float]:
    support: dict[str, float] = {}
    for name, confidence in [(one.label, one.confidence) for one in found if one.label in objects] + [
        (tag.name, tag.confidence) for tag in tags if tag.name in names
    ]:
        support[name] = max(confidence, support.get(name, 0.0))
    return support
