"""The detector on real photographs whose content is known; skipped where the files are not in the cache."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError, WeightsError
from lavis.common.weights import weights_path
from lavis.datasets.loaders.base import Clip
from lavis.experts import frames
from lavis.experts.coco import LABELS
from lavis.experts.detector import GRAPH, WEIGHTS, Detection, Detector, shared_detector
from lavis.experts.frames import FramesExpert

Picture = npt.NDArray[np.uint8]


def fetched(name: str) -> Path:
    try:
        return weights_path(name)
    except WeightsError as error:
        pytest.skip(f"{name} is not in the cache: {error}")


@pytest.fixture(scope="module")
def detector() -> Detector:
    fetched(WEIGHTS), fetched(GRAPH)
    return shared_detector()


def photo(name: str, size: tuple[int, int] = (600, 400)) -> Picture:
    with Image.open(fetched(name)) as image:
        return np.asarray(image.convert("RGB").resize(size))


def clip(*pictures: Picture) -> Clip:
    indices = tuple(5 * n for n in range(len(pictures)))
    times = tuple(0.5 * n for n in range(len(pictures)))
    path = Path("data/frames/room1")
    return Clip("room1", "frame", np.stack(pictures), "t h w c", "uint8 RGB", path, indices, times, 10.0)


def test_the_labels_are_cocos_eighty_at_their_numbers() -> None:
    assert len(LABELS) == len(set(LABELS.values())) == 80
    known = {1: "person", 17: "cat", 47: "cup", 62: "chair", 63: "couch", 67: "dining table", 72: "TV", 84: "book"}
    assert known.items() <= LABELS.items()
    assert not {12, 26, 29, 30, 45, 66, 68, 69, 71, 83} & LABELS.keys()


@pytest.mark.parametrize(
    ("name", "label"), [("photo_coffee", "cup"), ("photo_chelsea", "cat"), ("photo_astronaut", "person")]
)
def test_what_fills_a_real_photograph_is_found(detector: Detector, name: str, label: str) -> None:
    found = detector.detect(photo(name), min_confidence=0.5)
    assert label in {one.label for one in found}
    assert all(0.5 <= one.confidence <= 1.0 for one in found)
    assert all(
        0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0 for left, top, right, bottom in (o.box for o in found)
    )


def test_a_cat_on_the_left_half_is_found_on_the_left_and_mirrored_on_the_right(detector: Detector) -> None:
    picture = np.full((300, 900, 3), 128, dtype=np.uint8)
    picture[:, :450] = photo("photo_chelsea", (450, 300))
    for one, place in ((picture, "left"), (np.ascontiguousarray(picture[:, ::-1]), "right")):
        text = FramesExpert().write(clip(one))
        assert f"one brown cat ({place})" in text or f"one beige cat ({place})" in text


def test_what_appears_and_what_changes_is_told_and_equal_neighbours_once(detector: Detector) -> None:
    """Ground truth: two empty grey frames, then two with a cat."""
    grey = np.full((400, 600, 3), 60, dtype=np.uint8)
    cat = photo("photo_chelsea")
    text = FramesExpert().write(clip(grey, grey, cat, cat))
    lines = text.splitlines()
    assert lines[0] == "Objects recognised (most at one time): one cat."
    assert lines[1] == "From 0.0 s to 0.5 s: nothing recognised."
    assert lines[2].startswith("From 1.0 s to 1.5 s: one ")
    assert "cat is first seen at 1.0 s" in text and "the scene changes at 1.0 s" in text and "gets brighter" in text


def test_a_picture_without_known_objects_still_has_colours(detector: Detector) -> None:
    text = FramesExpert().write(clip(np.full((200, 300, 3), (30, 60, 200), dtype=np.uint8)))
    assert text == "No known kind of object is recognised in the frames.\nMain colours: blue."


def test_threads_share_the_network_and_find_the_same(detector: Detector) -> None:
    pictures = [photo("photo_coffee"), photo("photo_chelsea")] * 3
    expected = [detector.detect(picture, min_confidence=0.3) for picture in pictures]
    found: dict[int, tuple[Detection, ...]] = {}

    def look(number: int) -> None:
        found[number] = shared_detector().detect(pictures[number], min_confidence=0.3)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(pictures))] == expected


def test_colours_and_places_come_from_the_box() -> None:
    """A red box on the upper left of a white picture, a detection by hand around it."""
    picture = np.full((300, 300, 3), 255, dtype=np.uint8)
    picture[10:90, 10:90] = (200, 30, 30)
    near = Detection("chair", 0.9, (0.0, 0.0, 0.33, 0.33))
    far = Detection("chair", 0.8, (0.7, 0.7, 1.0, 1.0))
    worn = Detection("person", 0.9, (0.0, 0.0, 0.33, 0.33))
    assert frames._view(picture, (near,)) == "one red chair (upper left)"
    assert frames._view(picture, (far, near)) == "two chairs (red upper left, white lower right)"
    assert frames._view(picture, (worn,)) == "one person in red (upper left)"


def test_a_clip_without_frames_is_an_error_and_options_are_checked() -> None:
    nothing = Clip(
        "room1", "frame", np.empty((0, 4, 4, 3), np.uint8), "t h w c", "uint8 RGB", Path("data/frames/room1")
    )
    with pytest.raises(ModalityError, match=r"room1: there is no frame to look at \(data/frames/room1\)"):
        FramesExpert().write(nothing)
    with pytest.raises(ConfigError, match="min_confidence"):
        FramesExpert(min_confidence=0.0)


def test_absent_weights_say_how_to_fetch_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="weights fetch"):
        shared_detector()
