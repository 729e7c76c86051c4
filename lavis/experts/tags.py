"""Short captions: one line per distinct view, out of whole-picture tags and detected objects."""

from __future__ import annotations

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
from lavis.experts.objects import color_of, named, where
from lavis.experts.tagger import Tag, shared_tagger
from lavis.experts.words import between_moments, capital, listed, runs, spread

SURE = 0.5  # tags below it are said to be probable only


class TagsExpert(Expert):
    """Says in one line each what the distinct views of a clip show.

    The tagger knows ImageNet's 1000 classes and is made for pictures of one thing; of scenes and people
    it often finds nothing. The number after a tag is the tagger's own certainty.

    Args:
        min_tag: tags that are less certain are not mentioned.
        min_confidence: detections that are less certain are not mentioned.
        max_tags: at most so many tags per view.
        max_views: at most so many distinct views, evenly spread.
    """

    card = ExpertCard(
        name="tags",
        modality="frame",
        skill="A3",
        summary="one line per distinct view: what the whole picture shows (1000 kinds), and the objects in it",
        version="1",
        cost="local",
    )
    weights = (tagger.WEIGHTS, tagger.LABELS, WEIGHTS, GRAPH)
    packages = (tagger.PACKAGE,)

    def __init__(
        self, *, min_tag: float = 0.2, min_confidence: float = 0.5, max_tags: int = 2, max_views: int = 6
    ) -> None:
        if not 0.0 < min_tag < 1.0 or not 0.0 < min_confidence < 1.0:
            raise ConfigError("model.experts.tags: min_tag and min_confidence lie between 0 and 1.")
        if max_tags < 1 or max_views < 1:
            raise ConfigError("model.experts.tags: max_tags and max_views are 1 or more.")
        self.min_tag = min_tag
        self.min_confidence = min_confidence
        self.max_tags = max_tags
        self.max_views = max_views

    def write(self, clip: Clip) -> str:
        """Caption a clip of pictures.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB.

        Returns:
            A line per stretch of equal views: ``At 0.5 s: looks like espresso (0.85); one red cup (centre).``

        Raises:
            ModalityError: the clip has no frame; names the medium and the path.
            WeightsError: a model's files are not in the cache; says how to fetch them.
        """
        if len(clip.array) == 0:
            raise ModalityError(f"{clip.media_id}: there is no {clip.modality} to look at ({clip.path}).")
        captions = [self._caption(picture) for picture in clip.array]
        stretches = runs(captions)
        kept = [stretches[k] for k in spread(len(stretches), self.max_views)]
        return "\n".join(f"{capital(between_moments(clip, a, b))}: {captions[a]}." for a, b in kept)

    def _caption(self, picture: npt.NDArray[np.uint8]) -> str:
        found = shared_detector().detect(picture, min_confidence=self.min_confidence)
        tags = shared_tagger().tag(picture, min_confidence=self.min_tag, max_tags=self.max_tags)
        parts = [part for part in (tag_words(tags), _objects(picture, found)) if part]
        return "; ".join(parts) or f"nothing recognised, mainly {listed(dominant_colors(picture, max_names=2))}"


def tag_words(tags: Sequence[Tag]) -> str:
    """Return ``looks like espresso (0.85)``, ``may show moped (0.33) or scooter (0.21)``; empty without a tag."""
    if not tags:
        return ""
    if tags[0].confidence >= SURE:
        return f"looks like {tags[0].name} ({tags[0].confidence:.2f})"
    return "may show " + " or ".join(f"{tag.name} ({tag.confidence:.2f})" for tag in tags)


def _objects(picture: npt.NDArray[np.uint8], found: Sequence[Detection]) -> str:
    """Return ``two chairs, one red cup (centre)``: the most certain three kinds, places of single things."""
    kinds: dict[str, list[Detection]] = {}
    for one in found:
        kinds.setdefault(one.label, []).append(one)
    words = []
    for label, group in list(kinds.items())[:3]:
        if len(group) > 1:
            words.append(named(label, "", number=len(group)))
        else:
            words.append(f"{named(label, color_of(picture, group[0].box))} ({where(group[0].box)})")
    return ", ".join(words)
