"""Where the frames of a video lie among the packets of its file."""

from __future__ import annotations

import array
import bisect
import dataclasses
import os
import threading

# Of all indexes that are kept: a file is counted, then read. A packet takes 24 bytes.
MAX_PACKETS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Index:
    """The packets of a video stream in decoding order, and the frames in the order of their display.

    Attributes:
        pts: presentation time of each packet in units of the stream's time base, each only once.
        seek_pts: where to seek for a packet: the lower of its presentation and its decoding time.
        keys: positions of keyframe packets.
        shown: presentation times of the frames that are shown, ascending.
    """

    pts: array.array[int]
    seek_pts: array.array[int]
    keys: array.array[int]
    shown: array.array[int]

    def start_of(self, position: int) -> int:
        """Return the keyframe at which decoding must begin for the packet at a position.

        A picture that follows a keyframe in the file and is shown before it (open GOP) may refer to what lies
        before that keyframe, so that decoding begins at the one before.
        """
        for at in range(bisect.bisect_right(self.keys, position) - 1, -1, -1):
            if self.pts[self.keys[at]] <= self.pts[position]:
                return self.keys[at]
        return 0


class KeptIndexes:
    """Indexes of files by path, size and time of change, the oldest given up first."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._lock = threading.Lock()
        self._indexes: dict[tuple[str, int, int], Index] = {}

    def get(self, key: tuple[str, int, int]) -> Index | None:
        """Return the index of a file, or None."""
        with self._lock:
            return self._indexes.get(key)

    def keep(self, key: tuple[str, int, int], index: Index) -> None:
        """Keep an index, and drop the oldest past the limit."""
        with self._lock:
            self._indexes[key] = index
            n_packets = sum(len(kept.pts) for kept in self._indexes.values())
            while n_packets > MAX_PACKETS:
                oldest = next(iter(self._indexes))
                n_packets -= len(self._indexes.pop(oldest).pts)


KEPT = KeptIndexes()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=KEPT.forget)  # a lock may be held by a thread that only the parent has
