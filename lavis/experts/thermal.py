"""Thermal pictures as words: warm and cold regions, how they stand out, move and fade; brightness, not degrees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.detector import Detection
from lavis.experts.objects import at_place
from lavis.experts.regions import find_regions
from lavis.experts.tracks import follow
from lavis.experts.words import at_moment, counted, listed, moment

Grey = npt.NDArray[np.float64]

SMOOTH_PX = 1.5  # takes the camera's noise away
MIN_SHARE = 0.002  # of the picture: smaller spots are noise
RIM = 0.4  # of the way from the surroundings to the hottest place: where a region ends
STEADY = 0.2  # of a region's contrast: what changes less is told as steady
DRIFT = 8.0  # of 255, in the middle brightness of the whole picture
FALSE_COLORS = 12.0  # mean difference between channels, of 255, from which a picture is coloured
MAX_REGIONS = 4


class ThermalExpert(Expert):
    """Finds regions that are brighter or darker than the median brightness of their picture.

    A thermal camera shows warm as bright; many scale each picture anew, so that brightness compares parts
    of one picture better than two pictures.

    Args:
        min_contrast: how much brighter, of 255, a region must be than the middle of the picture.
    """

    card = ExpertCard(
        name="thermal",
        modality="thermal",
        skill="A2",
        summary="thermal camera: warm and cold regions, where, how much they stand out, how they move, appear and fade",
        version="1",
    )

    def __init__(self, *, min_contrast: float = 20.0) -> None:
        if not 0.0 < min_contrast < 255.0:
            raise ConfigError(
                f"model.experts.thermal.min_contrast: {min_contrast} is no brightness difference between 0 and 255."
            )
        self.min_contrast = min_contrast

    def write(self, clip: Clip) -> str:
        """Describe a clip of thermal pictures.

        Args:
            clip: thermal frames [t, h, w, 3] uint8, grey as three equal channels.

        Returns:
            The warm regions where they stand out most, how they change, cold regions, and the whole picture.

        Raises:
            ModalityError: the clip has no frame; names the medium and the path.
        """
        if len(clip.array) == 0:
            raise ModalityError(f"{clip.media_id}: there is no {clip.modality} to look at ({clip.path}).")
        views = [_smooth(picture) for picture in clip.array]
        warm = [self._regions(view, 1.0) for view in views]
        cold = [self._regions(view, -1.0) for view in views]
        lines = ["Brightness stands for warmth here; the numbers are of 255, against the rest, and no degrees."]
        if float((clip.array.max(axis=-1).astype(np.int16) - clip.array.min(axis=-1)).mean()) >= FALSE_COLORS:
            lines.append("The pictures are in false colours: their brightness follows warmth only roughly.")
        lines.append(_told(clip, views, warm, "warm", "brighter"))
        lines += _courses(clip, views, warm)
        if any(cold):
            lines.append(_told(clip, views, cold, "cold", "darker"))
        lines.append(_whole(clip, views))
        return "\n".join(lines)

    def _regions(self, grey: Grey, sign: float) -> list[Detection]:
        """Return regions as detections: their confidence is the contrast, of 1."""
        above = sign * (grey - np.median(grey))
        top = float(above.max())
        if top < self.min_contrast:
            return []
        found = find_regions(above >= max(self.min_contrast, RIM * top), min_share=MIN_SHARE)
        regions = [Detection("region", float(above[one.mask].max()) / 255.0, one.box) for one in found]
        return sorted(regions, key=lambda one: (-one.confidence * one.area, one.box))[:MAX_REGIONS]


def _smooth(picture: npt.NDArray[np.uint8]) -> Grey:
    """Return brightness [h, w] 0 … 255 without the camera's noise."""
    import cv2

    return np.asarray(cv2.GaussianBlur(picture.mean(axis=-1), (0, 0), SMOOTH_PX), dtype=np.float64)


def _told(clip: Clip, views: list[Grey], found: list[list[Detection]], name: str, than: str) -> str:
    """Return the regions of the view in which they stand out most."""
    if not any(found):
        return f"No {name} region stands out."
    best = max(range(len(views)), key=lambda view: (max((one.confidence for one in found[view]), default=0.0), -view))
    words = [
        f"{at_place(one.box)} ({_percent(one.area)} of the picture, up to {255 * one.confidence:.0f} {than})"
        for one in found[best]
    ]
    number = counted(len(words), f"{name} region")
    verb = "stands" if len(words) == 1 else "stand"
    return f"{number[0].upper()}{number[1:]} {verb} out most {at_moment(clip, best)}: {listed(words)}."


def _courses(clip: Clip, views: list[Grey], warm: list[list[Detection]]) -> list[str]:
    """Return how the two longest followed warm regions move, appear, fade or grow."""
    tracks = sorted(follow(warm), key=lambda track: (-len(track.views), -track.found[0].area, track.views))
    lines = []
    for track in tracks[:2]:
        if len(track.views) < 2:
            continue
        first, last = track.views[0], track.views[-1]
        before, after = 255 * track.found[0].confidence, 255 * track.found[-1].confidence
        change = (after - before) / max(before, after)
        course = "stays as warm" if abs(change) < STEADY else "gets warmer" if change > 0 else "fades"
        motion = track.motion().replace("comes nearer", "grows in size").replace("gets farther away", "shrinks in size")
        lines.append(
            f"The warm region {at_place(track.found[0].box)} {course} ({before:.0f} to {after:.0f} above the rest from "
            f"{moment(clip, first)} to {moment(clip, last)}) and {motion}"
            + (f"; it is first seen {at_moment(clip, first)}" if first > 0 else "")
            + (f"; it is no longer seen {at_moment(clip, last + 1)}" if last < len(views) - 1 else "")
            + "."
        )
    return lines


def _whole(clip: Clip, views: list[Grey]) -> str:
    """Return the warmest and the coldest part of the last view, and how the picture drifts."""
    last = views[-1]
    rows, columns = (np.array_split(np.arange(size), min(3, size)) for size in last.shape)
    parts = [(float(last[np.ix_(r, c)].mean()), r, c) for r in rows for c in columns]
    height, width = last.shape

    def place(part: tuple[float, npt.NDArray[np.int64], npt.NDArray[np.int64]]) -> str:
        across, down = (part[2].mean() + 0.5) / width, (part[1].mean() + 0.5) / height
        return at_place((float(across), float(down), float(across), float(down)))

    warmest, coldest = max(parts, key=lambda part: part[0]), min(parts, key=lambda part: part[0])
    text = (
        f"In the last view the warmest part is {place(warmest)} (mean {warmest[0]:.0f}), the coldest {place(coldest)} "
    )
    text += f"(mean {coldest[0]:.0f})."
    if warmest[0] - coldest[0] < 1.0:
        text = f"The last view is equally bright everywhere (mean {warmest[0]:.0f})."
    drift = float(np.median(last)) - float(np.median(views[0]))
    if len(views) > 1:
        way = (
            "stays the same"
            if abs(drift) < DRIFT
            else f"gets {'brighter' if drift > 0 else 'darker'} by {abs(drift):.0f}"
        )
        text += f" The rest of the picture {way}."
    return text


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
