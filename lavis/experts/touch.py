"""Gel pictures of a touch sensor as words: when, where and how hard something presses, and what its relief is like."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.objects import at_place
from lavis.experts.regions import direction_word, elongation, find_regions, is_hollow
from lavis.experts.relief import Relief, relief_of
from lavis.experts.words import at_moment, between_moments, capital, counted, listed, moment, runs

Floats = npt.NDArray[np.float64]

SMOOTH_PX = 1.5  # takes the camera's noise away, not the imprint
MIN_CONTACT_SHARE = 0.01
MIN_PART_SHARE = 0.005
LONG = 2.5  # times as long as wide
STEADY = 0.25  # change of strength, of the strongest, that is not told as growing or falling
BUSY = 6.0  # of 255: a gel with nothing on it differs less from its own smooth shading
WHOLE_GEL = 0.6


@dataclasses.dataclass(frozen=True)
class Press:
    """One view of the gel against the calmest one.

    Attributes:
        mask: where it differs [h, w].
        share: of the gel that differs, 0 … 1.
        mean: brightness difference there, of 255; 0 without contact.
    """

    mask: npt.NDArray[np.bool_]
    share: float
    mean: float

    @property
    def strength(self) -> float:
        """Share times difference: what a harder press increases either way."""
        return self.share * self.mean


class TouchExpert(Expert):
    """Compares each view of the gel with the calmest view of the clip.

    The calmest view is the one that differs least from its own smooth shading: in a clip that begins
    before the touch it is the bare gel. Where every view is alike, only the relief of the gel itself is told.
    Strength is a brightness difference, not a force.

    Args:
        min_difference: brightness difference, of 255, from which a place of the gel counts as touched.
    """

    card = ExpertCard(
        name="touch",
        modality="touch",
        skill="A2",
        summary="touch sensor: contact or not, where on the gel, how strong, relief (fine, coarse, lines), changes",
        version="1",
    )

    def __init__(self, *, min_difference: float = 10.0) -> None:
        if not 0.0 < min_difference < 255.0:
            raise ConfigError(
                f"model.experts.touch.min_difference: {min_difference} is no brightness difference between 0 and 255."
            )
        self.min_difference = min_difference

    def write(self, clip: Clip) -> str:
        """Describe a clip of gel pictures.

        Args:
            clip: touch frames [t, h, w, 3] uint8 RGB.

        Returns:
            When there is contact, how it changes, where and how strong it is at its strongest, and its relief.

        Raises:
            ModalityError: the clip has no frame; names the medium and the path.
        """
        if len(clip.array) == 0:
            raise ModalityError(f"{clip.media_id}: there is no {clip.modality} to look at ({clip.path}).")
        grey = np.stack([_smooth(picture) for picture in clip.array])
        unrest = [float(np.abs(view - _shading(view)).mean()) for view in grey]
        calmest = int(np.argmin(np.round(unrest, 3)))
        presses = [self._press(view - grey[calmest]) for view in grey]
        strongest = int(np.argmax([round(press.strength, 6) for press in presses]))
        press = presses[strongest]
        if press.share < MIN_CONTACT_SHARE:
            return _unchanged(clip, grey[calmest], unrest[calmest])
        lines = [
            _when(clip, presses),
            f"Strongest {at_moment(clip, strongest)}: {_where(press)}; there it differs by {press.mean:.0f} of 255 "
            f"from the view {at_moment(clip, calmest)}, the calmest one.",
            *_relief(relief_of(grey[strongest] - grey[calmest])),
        ]
        if unrest[calmest] >= BUSY:
            lines.append(
                "Even the calmest view has a relief, so that the gel may be touched all the time: "
                "what is told here is the change."
            )
        return "\n".join(lines)

    def _press(self, difference: Floats) -> Press:
        mask = np.abs(difference) >= self.min_difference
        share = float(mask.mean())
        return Press(mask, share, float(np.abs(difference[mask]).mean()) if share else 0.0)


def _smooth(picture: npt.NDArray[np.uint8]) -> Floats:
    """Return brightness [h, w] 0 … 255 without the camera's noise."""
    import cv2

    return np.asarray(cv2.GaussianBlur(picture.mean(axis=-1), (0, 0), SMOOTH_PX), dtype=np.float64)


def _shading(grey: Floats) -> Floats:
    """Return the slow changes of brightness that the sensor's own lamps make."""
    import cv2

    return np.asarray(cv2.GaussianBlur(grey, (0, 0), max(grey.shape) / 16.0), dtype=np.float64)


def _when(clip: Clip, presses: list[Press]) -> str:
    """Return the stretches of contact and how its strength goes."""
    touched = [press.share >= MIN_CONTACT_SHARE for press in presses]
    stretches = [(first, last) for first, last in runs(touched) if touched[first]]
    words = [between_moments(clip, first, last) for first, last in stretches[:4]]
    more = f" and {counted(len(stretches) - 4, 'further time')}" if len(stretches) > 4 else ""
    free = "" if all(touched) else "; no contact in the other views"
    first, last = max(stretches, key=lambda stretch: (stretch[1] - stretch[0], -stretch[0]))
    return f"The gel is touched {listed(words)}{more}{free}. {_course(clip, presses, first, last)}".rstrip()


def _course(clip: Clip, presses: list[Press], first: int, last: int) -> str:
    """Return how the press goes over its longest stretch; empty for a single view."""
    if first == last:
        return ""
    strengths = [press.strength for press in presses[first : last + 1]]
    top = first + int(np.argmax(np.round(strengths, 6)))
    rise, fall = max(strengths) - strengths[0], max(strengths) - strengths[-1]
    least = STEADY * max(strengths)
    if rise >= least and fall >= least:
        return f"The press grows until {moment(clip, top)} and then eases."
    if rise >= least:
        return "The press grows all the while." if np.all(np.diff(strengths) >= 0) else "The press grows on the whole."
    return "The press eases on the whole." if fall >= least else "The press stays about equally strong."


def _where(press: Press) -> str:
    """Return ``the imprint covers 31 % of the gel in the centre, one part, ring-shaped``."""
    parts = find_regions(press.mask, min_share=MIN_PART_SHARE)
    rows, columns = np.nonzero(press.mask)
    height, width = press.mask.shape
    middle = (float(columns.mean() + 0.5) / width, float(rows.mean() + 0.5) / height)
    place = at_place((middle[0], middle[1], middle[0], middle[1]))
    words = [f"the imprint covers {100 * press.share:.0f} % of the gel"]
    if press.share < WHOLE_GEL:
        words[0] += f", its middle {place}"
    if len(parts) == 1:
        ratio, angle_deg = elongation(parts[0].mask)
        shape = "closed like a ring" if is_hollow(parts[0].mask) else "compact"
        words.append(f"long, running {direction_word(angle_deg)}" if ratio >= LONG else shape)
    elif parts:
        words.append(f"in {counted(len(parts), 'part')}")
    return ", ".join(words)


def _relief(relief: Relief | None) -> list[str]:
    if relief is None:
        return ["Relief: none finer than the imprint itself."]
    words = [f"{relief.grain} ({relief.cycles:.0f} changes over the height of the picture)"]
    if relief.angle_deg is not None:
        words.append(f"ridges run {direction_word(relief.angle_deg)}")
    words.append("no regular repetition" if relief.period_px is None else f"repeated every {relief.period_px:.0f} px")
    return [f"Relief of the imprint: {', '.join(words)}."]


def _unchanged(clip: Clip, grey: Floats, unrest: float) -> str:
    """Describe a clip whose views are all alike."""
    views = "in the only view" if len(clip.array) == 1 else "over the clip"
    if unrest < BUSY:
        return f"{capital(f'the gel looks smooth and does not change {views}')}: probably nothing touches it."
    lines = [
        f"The gel shows a relief that does not change {views}: probably something touches it all the time, "
        "but there is no view without it to compare with."
    ]
    return "\n".join([*lines, *_relief(relief_of(grey - _shading(grey)))])
