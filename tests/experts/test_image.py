"""Detailed descriptions of real photographs whose content is known, and of pictures that are put together from them."""

from __future__ import annotations

import numpy as np
import pytest
from photos import clip_of, fetched, photo

from lavis.common.errors import ConfigError, ModalityError
from lavis.common.weights import weights_path
from lavis.experts import detector, surroundings, tagger
from lavis.experts.coco import LABELS
from lavis.experts.detector import Detection
from lavis.experts.image import ImageExpert
from lavis.experts.tagger import Tag


@pytest.fixture(scope="module", autouse=True)
def models() -> None:
    pytest.importorskip("ai_edge_litert")
    fetched(tagger.WEIGHTS, tagger.LABELS, detector.WEIGHTS, detector.GRAPH)


def test_a_cup_on_a_table_is_told_with_colour_size_place_and_relation() -> None:
    text = ImageExpert().write(clip_of("frame", photo("photo_coffee")))
    assert text.startswith("The picture at 0.0 s, 600 x 400 px:\nObjects: cup (0.9")
    assert "cup is on dining table" in text
    assert "As a whole it looks like espresso (0." in text
    assert "brown in the lower third" in text
    assert "indoors" not in text and "outdoors" not in text  # neither espresso nor a cup says which


def test_the_view_with_most_kinds_is_described_and_a_second_one_only_for_what_it_adds() -> None:
    grey = np.full((400, 600, 3), 90, np.uint8)
    coffee, cat = photo("photo_coffee", (600, 400)), photo("photo_chelsea", (600, 400))
    text = ImageExpert().write(clip_of("frame", grey, coffee, coffee, cat))
    assert [part.split(",")[0] for part in text.split("\n\n")] == ["The picture at 0.5 s", "The picture at 1.5 s"]
    only = ImageExpert(max_views=1).write(clip_of("frame", grey, coffee, cat))
    assert only.startswith("The picture at 0.5 s") and "\n\n" not in only


def test_two_of_a_kind_are_numbered_from_the_left_and_related() -> None:
    cat = photo("photo_chelsea", (450, 300))
    picture = np.full((600, 1000, 3), 128, np.uint8)
    picture[:300, :450], picture[200:500, 550:] = cat, cat[:, ::-1]
    text = ImageExpert().write(clip_of("frame", picture))
    assert "cat 1 (" in text and "cat 2 (" in text
    assert "cat 1 is left of cat 2" in text or "cat 1 is next to and left of cat 2" in text


def test_a_single_black_frame_is_said_to_be_dark_and_empty() -> None:
    text = ImageExpert(min_tag=0.9).write(clip_of("frame", np.zeros((30, 40, 3), np.uint8)))
    assert text == (
        "The picture at 0.0 s, 40 x 30 px:\nObjects: none of the known kinds is recognised.\n"
        "Layout: black throughout.\nThe picture is dark."
    )


def test_surroundings_are_told_only_where_one_side_is_supported() -> None:
    bed, car = (Detection(label, 0.9, (0.0, 0.0, 1.0, 1.0)) for label in ("bed", "car"))
    assert surroundings.surroundings([bed], [Tag("quilt", 0.4)]) == "probably indoors (bed 0.90, quilt 0.40)"
    assert surroundings.surroundings([car], []) == "probably outdoors (car 0.90)"
    assert surroundings.surroundings([bed, car], []) == ""
    assert surroundings.surroundings([], [Tag("alp", 0.3)]) == ""


def test_every_name_that_speaks_for_a_side_is_one_that_a_model_can_say() -> None:
    lines = weights_path(tagger.LABELS).read_text(encoding="utf-8").splitlines()
    names = {line.split(",")[0].strip() for line in lines}
    assert names >= surroundings.INDOOR_TAGS | surroundings.OUTDOOR_TAGS
    assert set(LABELS.values()) >= surroundings.INDOOR_OBJECTS | surroundings.OUTDOOR_OBJECTS


def test_the_text_is_short_and_the_same_every_time() -> None:
    clip = clip_of("frame", photo("photo_coffee", (600, 400)), photo("photo_chelsea", (600, 400)))
    texts = {ImageExpert().write(clip) for _ in range(2)}
    assert len(texts) == 1 and len(texts.pop()) < 2000


def test_no_frame_is_an_error_and_options_are_checked() -> None:
    nothing = clip_of("frame", np.zeros((4, 4, 3), np.uint8))
    object.__setattr__(nothing, "array", nothing.array[:0])
    with pytest.raises(ModalityError, match=r"room1: there is no frame to look at \(data/frame/room1\)"):
        ImageExpert().write(nothing)
    for options in ({"min_tag": 0.0}, {"min_confidence": 1.0}, {"max_objects": 0}, {"max_views": 0}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            ImageExpert(**options)  # type: ignore[arg-type]
