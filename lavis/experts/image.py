"""Detailed description of a clip's most informative pictures: objects, attributes, relations, layout, light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts import tagger
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.colors import dominant_colors
from lavis.experts.detector import GRAPH, WEIGHTS, Detection, shared_detector
from lavis.experts.objects import at_place, color_of, relation, size_word
from lavis.experts.surroundings import surroundings
from lavis.experts.tagger import shared_tagger
from lavis.experts.tags import tag_words
from lavis.experts.words import at_moment, listed, thirds

# What tells most about a scene comes first.
RELATIONS = ("on", "inside the outline of", "in front of", "next to and left of", "next to and right of", "left of")
MAX_RELATIONS = 8
SURE = 0.7  # objects below it are said to be probable only
GRID = 100  # cells per side on which the area of overlapping boxes is counted
CONTRAST_STEP = 8.0  # of 255: finer differences in contrast don't decide which view is described
LIGHT = ((60.0, "dark"), (110.0, "rather dark"), (165.0, "of medium brightness"), (256.0, "bright"))  # mean of 255

Picture = npt.NDArray[np.uint8]


class ImageExpert(Expert):
    """Describes one or two pictures of a clip in detail, by detector, tagger and colours.

    The pictures are those with the most kinds of object; a second one is described where it adds a kind
    that the first lacks. Relations are those of the flat picture.

    Args:
        min_confidence: detections below it are not mentioned.
        min_tag: whole-picture tags below it are not mentioned.
        max_objects: at most so many objects per picture, the most certain first.
        max_views: at most so many pictures.
    """

    card = ExpertCard(
        name="image",
        modality="frame",
        skill="A2",
        summary="detailed description of the best pictures: objects with colour, size, place and relations; layout",
        version="1",
        cost="local",
    )
    weights = (tagger.WEIGHTS, tagger.LABELS, WEIGHTS, GRAPH)
    packages = (tagger.PACKAGE,)

    def __init__(
        self, *, min_confidence: float = 0.5, min_tag: float = 0.2, max_objects: int = 8, max_views: int = 2
    ) -> None:
        if not 0.0 < min_tag < 1.0 or not 0.0 < min_confidence < 1.0:
            raise ConfigError("model.experts.image: min_confidence and min_tag lie between 0 and 1.")
        if max_objects < 1 or max_views < 1:
            raise ConfigError("model.experts.image: max_objects and max_views are 1 or more.")
        self.min_confidence = min_confidence
        self.min_tag = min_tag
        self.max_objects = max_objects
        self.max_views = max_views

    def write(self, clip: Clip) -> str:
        """Describe a clip of pictures.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB.

        Returns:
            A paragraph per chosen picture: objects, relations, layout, tags, surroundings and light.

        Raises:
            ModalityError: the clip has no frame; names the medium and the path.
            WeightsError: a model's files are not in the cache; says how to fetch them.
        """
        if len(clip.array) == 0:
            raise ModalityError(f"{clip.media_id}: there is no {clip.modality} to look at ({clip.path}).")
        detector = shared_detector()
        seen = [detector.detect(one, min_confidence=self.min_confidence)[: self.max_objects] for one in clip.array]
        return "\n\n".join(
            f"The picture {at_moment(clip, view)}, {clip.array.shape[2]} x {clip.array.shape[1]} px:\n"
            + "\n".join(self._describe(clip.array[view], seen[view]))
            for view in sorted(self._chosen(clip, seen))
        )

    def _chosen(self, clip: Clip, seen: Sequence[Sequence[Detection]]) -> list[int]:
        def worth(view: int) -> tuple[int, float, float, int]:
            kinds = {one.label for one in seen[view]}
            contrast = float(clip.array[view].std()) // CONTRAST_STEP
            return -len(kinds), -round(sum(one.confidence for one in seen[view]), 2), -contrast, view

        chosen: list[int] = []
        told: set[str] = set()
        for view in sorted(range(len(seen)), key=worth):
            kinds = {one.label for one in seen[view]}
            if len(chosen) < self.max_views and (not chosen or kinds - told):
                chosen.append(view)
                told |= kinds
        return chosen

    def _describe(self, picture: Picture, found: Sequence[Detection]) -> list[str]:
        names = _names(found)
        objects = [_object(name, one, picture) for name, one in zip(names, found, strict=True)]
        tags = shared_tagger().tag(picture, min_confidence=self.min_tag, max_tags=3)
        lines = [f"Objects: {'; '.join(objects) or 'none of the known kinds is recognised'}."]
        related = _relations(names, found)
        lines += [f"Relations in the picture: {'; '.join(related)}."] if related else []
        lines.append(_layout(picture, found))
        lines += [f"As a whole it {tag_words(tags)}."] if tags else []
        place = surroundings(found, tags)
        mean = float(picture.mean())
        light = next(word for below, word in LIGHT if mean < below)
        lines.append(f"{f'Surroundings: {place}. ' if place else ''}The picture is {light}.")
        return lines


def _names(found: Sequence[Detection]) -> list[str]:
    """Return ``cup``, or ``chair 1`` and ``chair 2`` from the left where a kind is there more than once."""
    counts = Counter(one.label for one in found)
    order = sorted(range(len(found)), key=lambda k: (found[k].center, k))
    names = [one.label for one in found]
    numbers: Counter[str] = Counter()
    for k in order:
        label = found[k].label
        if counts[label] > 1:
            numbers[label] += 1
            names[k] = f"{label} {numbers[label]}"
    return names


def _object(name: str, one: Detection, picture: Picture) -> str:
    """Return ``cup (0.95): medium-sized, red, in the centre, 18 % of the picture``."""
    doubt = "" if one.confidence >= SURE else "probably "
    details = (size_word(one.box), color_of(picture, one.box), at_place(one.box))
    share = f"{100 * one.area:.0f} %" if one.area >= 0.01 else "less than 1 %"
    return f"{doubt}{name} ({one.confidence:.2f}): {', '.join(details)}, {share} of the picture"


def _relations(names: Sequence[str], found: Sequence[Detection]) -> list[str]:
    """Return each pair's relation once, the telling ones first."""
    said: list[tuple[int, str]] = []
    for k, one in enumerate(found):
        for j in range(k + 1, len(found)):
            pairs = [(k, j, relation(one, found[j])), (j, k, relation(found[j], one))]
            ranked = [(RELATIONS.index(words) if words in RELATIONS else len(RELATIONS), a, b, words)
                      for a, b, words in pairs if words]  # fmt: skip
            if ranked:
                rank, a, b, words = min(ranked)
                said.append((rank, f"{names[a]} is {words} {names[b]}"))
    return [words for _, words in sorted(said, key=lambda pair: pair[0])[:MAX_RELATIONS]]


def _layout(picture: Picture, found: Sequence[Detection]) -> str:
    """Return the share that objects cover and the colours from top to bottom."""
    rows = thirds(picture.shape[0])
    bands = [listed(dominant_colors(picture[row], max_names=2, min_share=0.25)) for row in rows]
    if len(set(bands)) == 1:
        colors = f"{bands[0]} throughout"
    else:
        colors = f"{bands[0]} in the upper third, {bands[1]} in the middle, {bands[2]} in the lower third"
    if not found:
        return f"Layout: {colors}."
    covered = np.zeros((GRID, GRID), dtype=bool)
    for one in found:
        left, top, right, bottom = (round(GRID * edge) for edge in one.box)
        covered[top:bottom, left:right] = True
    return f"Layout: objects cover {100 * covered.mean():.0f} % of the picture; {colors}."
