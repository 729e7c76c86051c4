"""Who plays in a piece: the instruments of the whole and of each side put together."""

from __future__ import annotations

import dataclasses

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.experts.listening import GAP_S, spans_s
from lavis.experts.sound import levels_db
from lavis.experts.stereo import level_db, place
from lavis.experts.yamnet import shared_tagger
from lavis.experts.yamnet.instruments import INSTRUMENTS
from lavis.experts.yamnet.log_mel import RATE_HZ
from lavis.experts.yamnet.players import PRESENT, Players, find_players

NAMES = tuple(INSTRUMENTS)
# From this confidence on an instrument is named without "probably".
SURE = 0.6
FAIR = 0.5


@dataclasses.dataclass(frozen=True)
class Part:
    """One instrument in a piece.

    Attributes:
        name: of the instrument.
        confidence: 0 … 1, over the time it plays.
        spans_s: when it plays.
        side: ``left``, ``right``, ``centre``; empty where that cannot be told.
    """

    name: str
    confidence: float
    spans_s: tuple[tuple[float, float], ...]
    side: str = ""

    @property
    def plays_s(self) -> float:
        """How long it plays altogether."""
        return sum(end_s - start_s for start_s, end_s in self.spans_s)

    @property
    def told(self) -> str:
        """Its name, with "probably" where it is not sure."""
        return self.name if self.confidence >= SURE else f"probably {self.name}"


@dataclasses.dataclass(frozen=True)
class Channel:
    """What is heard on one side.

    Attributes:
        players: on that side.
        level_db: its mean level below full scale.
    """

    players: Players
    level_db: float


def each_side(channels: Array) -> tuple[Channel, Channel]:
    """Return who plays on the left and on the right, each channel [n] of [2, n] heard on its own."""
    left, right = (
        Channel(find_players(channel, levels_db(channel, RATE_HZ), shared_tagger().tag(channel)), level_db(channel))
        for channel in channels
    )
    return left, right


def find_parts(players: Players, apart: tuple[Channel, Channel] | None) -> list[Part]:
    """Return the instruments, the longest and surest first.

    Args:
        players: of the mix of all channels.
        apart: of each side, where they differ: what is sure on one side is added, what is on neither is left out.
    """
    present, confidence = players.present(), players.confidence
    if apart is not None:
        on_sides = [side.players.present() for side in apart]
        for side, on_side in zip(apart, on_sides, strict=True):
            sure = on_side & (side.players.confidence >= SURE)
            present = present | sure
            confidence = np.maximum(confidence, np.where(sure, side.players.confidence, 0.0))
        # What only the mix of both sides seems to be is no instrument.
        both = (on_sides[0] | on_sides[1]).any(axis=0)
        present = present & (both | ~both.any())
    parts = []
    for number in np.flatnonzero(present.any(axis=0)):
        runs = spans_s(present[:, number], players.spans_s, gap_s=GAP_S)
        parts.append(
            Part(
                NAMES[number],
                float(confidence[present[:, number], number].mean()),
                tuple((start_s, end_s) for start_s, end_s, _ in runs),
                "" if apart is None else _side(apart, int(number)),
            )
        )
    parts.sort(key=lambda part: (-part.plays_s * part.confidence, part.name))
    if any(part.confidence >= FAIR for part in parts):
        return [part for part in parts if part.confidence >= PRESENT]
    return parts[:1]  # guesses that take turns are one instrument that is not recognised


def _side(apart: tuple[Channel, Channel], number: int) -> str:
    """Return where an instrument is: where it is heard more, each side weighed by its amplitude."""
    loudest_db = max(side.level_db for side in apart)
    amounts = [
        float((side.players.confidence[:, number] * side.players.present()[:, number]).sum())
        * 10 ** ((side.level_db - loudest_db) / 20)
        for side in apart
    ]
    return place(*amounts) if sum(amounts) > 0 else ""
