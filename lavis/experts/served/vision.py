"""Frames described by a vision model: a video's course, single pictures in detail, a line for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.asking import AskingExpert, Shown
from lavis.experts.card import ExpertCard
from lavis.experts.pictures import LONGEST_SIDE_PX, chosen, encoded
from lavis.experts.served.choosing import sharp_and_different
from lavis.experts.words import at_moment, capital
from lavis.reasoners.base import Completion


class VisionExpert(AskingExpert):
    """Shows a model pictures of a medium, each labelled with its moment.

    A subclass sets what it is asked, and may choose other frames, draw them otherwise or say something beside them.

    Args:
        reasoner, instruction, max_tokens: as of :class:`AskingExpert`.
        n_images: pictures shown at most; None for as many as this expert usually needs.
        longest_side_px: pictures are made smaller than this; None for what this expert usually needs.
    """

    sees = True
    usual_images: ClassVar[int] = 8
    usual_side_px: ClassVar[int] = LONGEST_SIDE_PX

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 768,
        n_images: int | None = None,
        longest_side_px: int | None = None,
    ) -> None:
        super().__init__(reasoner=reasoner, instruction=instruction, max_tokens=max_tokens)
        where = f"model.experts.{self.card.name}"
        self.n_images = self.usual_images if n_images is None else n_images
        self.longest_side_px = self.usual_side_px if longest_side_px is None else longest_side_px
        if self.n_images < 1:
            raise ConfigError(f"{where}.n_images: {n_images} shows nothing; give 1 or more.")
        if self.longest_side_px < 32:
            raise ConfigError(f"{where}.longest_side_px: {longest_side_px} px show nothing; give 32 or more.")

    def show(self, loaded: Clip, **needs: Any) -> Shown:
        """Show frames of a clip.

        Args:
            loaded: [t, h, w, …], what :meth:`draw` draws.
            needs: what the card asks for beside it.

        Raises:
            ModalityError: the clip is empty.
        """
        if not len(loaded.array):
            raise ModalityError(f"{loaded.media_id}: {loaded.modality} at {loaded.path} has no frame to show.")
        views = self.choose(loaded)
        return Shown(
            words=self.words(loaded, views, **needs),
            images=tuple(
                encoded(picture, longest_side_px=self.longest_side_px) for picture in self.draw(loaded, views)
            ),
            # A single picture has no other to be told from.
            labels=tuple(at_moment(loaded, view) for view in views) if len(loaded.array) > 1 else (),
        )

    def choose(self, clip: Clip) -> list[int]:
        """Return the positions of the frames that are shown: evenly spread."""
        return chosen(clip.array, self.n_images)

    def draw(self, clip: Clip, views: list[int]) -> list[Array]:
        """Return frames as pictures [h, w, 3] uint8."""
        return [clip.array[view] for view in views]

    def words(self, clip: Clip, views: list[int], **needs: Any) -> str:
        """Return what is to be known beside the pictures; nothing by default."""
        return ""


class VideoDescriptionExpert(VisionExpert):
    """Tells a video's course."""

    card = ExpertCard(
        name="vlm_video",
        modality="frame",
        skill="A1",
        summary="what happens in the video, in order: people, actions, objects, places and changes, with times",
        version="1",
        cost="served",
    )
    instruction = (
        "These are frames of one video, in order. Tell in at most 200 words what happens: the place, who and what is "
        "seen, what they do and in which order, and what changes. Give times by the labels. Do not fill in what "
        "happens between the frames."
    )


class ImageDescriptionExpert(VisionExpert):
    """Describes the few sharpest and most different frames in detail."""

    card = ExpertCard(
        name="vlm_image",
        modality="frame",
        skill="A2",
        summary="single pictures in detail: objects, colours, materials, counts, positions, relations, writing",
        version="1",
        cost="served",
    )
    usual_images = 3
    usual_side_px = 768
    instruction = (
        "Describe each picture in detail: the setting, every object with its colour, material, number and place in "
        "the picture (left, right, near, far, on, under), people and what they do, writing word for word. At most "
        "120 words a picture."
    )

    def choose(self, clip: Clip) -> list[int]:
        """Return sharp frames that differ from each other."""
        return sharp_and_different(clip.array, self.n_images)


class CaptionLinesExpert(VisionExpert):
    """Says one line for every frame."""

    card = ExpertCard(
        name="vlm_caption",
        modality="frame",
        skill="A3",
        summary="one line for every frame, with its time",
        version="1",
        cost="served",
    )
    usual_images = 16
    usual_side_px = 384
    instruction = (
        "Write exactly one line for each picture, in order, in this form and without anything before or after:\n"
        "Picture 1: what it shows, in at most 20 words."
    )
    _LINE = re.compile(r"^\W*picture (?P<number>\d+)\W*:\W*(?P<said>\w.*)$", re.IGNORECASE)

    def report(self, completion: Completion, shown: Shown) -> str:
        """Return the lines with their moments in place of their numbers; any other line as it came."""
        lines = []
        for line in completion.text.splitlines():
            found = self._LINE.match(line.strip())
            number = int(found["number"]) if found else 0
            if found and 1 <= number <= len(shown.labels):
                lines.append(f"{capital(shown.labels[number - 1])}: {found['said']}")
            elif line.strip():
                lines.append(line.strip())
        return "\n".join(lines)


class TouchDescriptionExpert(VisionExpert):
    """Describes the pictures of a touch sensor's skin."""

    card = ExpertCard(
        name="vlm_touch",
        modality="touch",
        skill="A2",
        summary="what a touch sensor's pictures tell: shape of the contact, texture, hardness, pressing and sliding",
        version="1",
        cost="served",
    )
    instruction = (
        "These are pictures of the soft skin of a touch sensor (a gel that a camera watches from behind), lit in "
        "colours, in order. They show no scene: edges and shades are the imprint of what is touched. Say in at most "
        "150 words where and how strongly the skin is pressed, which shape and texture the imprint has (flat, round, "
        "edges, grain, weave), whether the object is probably hard or soft, smooth or rough, and what changes from "
        "picture to picture."
    )


class ThermalDescriptionExpert(VisionExpert):
    """Describes thermal pictures."""

    card = ExpertCard(
        name="vlm_thermal",
        modality="thermal",
        skill="A2",
        summary="what thermal pictures show: warm and cold things, people in the dark, and how they move",
        version="1",
        cost="served",
    )
    instruction = (
        "These are thermal pictures, in order: brightness is warmth, not light, and its scale in degrees is not known. "
        "Say in at most 150 words what is warmer and colder than its surroundings and where, who and what it probably "
        "is by its shape, and what moves. Colours and shadows of the real scene can't be told from them."
    )
