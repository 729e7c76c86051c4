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
from lavis.experts.tracks import follow

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


def on_grey(cat: Picture, left_px: int, top_px: int) -> Picture:
    """The cat's photograph on a grey picture of 600 by 400 px."""
    picture = np.full((400, 600, 3), 128, dtype=np.uint8)
    picture[top_px : top_px + len(cat), left_px : left_px + cat.shape[1]] = cat
    return picture


def test_a_cat_that_goes_through_the_picture_is_followed(detector: Detector) -> None:
    """Ground truth: the middle of the photograph goes from 25 % to 75 % of the width, on the same height."""
    cat = photo("photo_chelsea", (300, 200))
    views = [on_grey(cat, left_px, 100) for left_px in (0, 75, 150, 225, 300)]
    assert (
        "In the picture: cat moves from left to right, or the camera moves (0.0 s to 2.0 s)."
        in FramesExpert().write(clip(*views))
    )
    assert "cat moves from right to left, or the camera moves (0.0 s to 2.0 s)" in FramesExpert().write(
        clip(*views[::-1])
    )
    still = FramesExpert().write(clip(*[views[2]] * 3))
    assert "In the picture: cat without clear movement." in still and "first seen" not in still


def test_a_cat_that_grows_comes_nearer(detector: Detector) -> None:
    """Ground truth: the photograph grows from 240 to 480 px of width about the middle."""
    sizes = [(240, 160), (300, 200), (390, 260), (480, 320)]
    views = [on_grey(photo("photo_chelsea", (w, h)), (600 - w) // 2, (400 - h) // 2) for w, h in sizes]
    assert "cat comes nearer" in FramesExpert().write(clip(*views))
    assert "cat gets farther away" in FramesExpert().write(clip(*views[::-1]))


def test_things_that_shift_together_are_told_as_the_cameras_motion_and_edges_are_named() -> None:
    """Two objects by hand that both go 30 % to the left; one of them begins at the right edge."""
    picture = np.full((30, 30, 3), 128, dtype=np.uint8)
    seen = [
        (Detection("chair", 0.9, (0.5, 0.4, 0.7, 0.6)),),
        (Detection("chair", 0.9, (0.35, 0.4, 0.55, 0.6)), Detection("couch", 0.9, (0.6, 0.4, 1.0, 0.8))),
        (Detection("chair", 0.9, (0.2, 0.4, 0.4, 0.6)), Detection("couch", 0.9, (0.4, 0.4, 0.8, 0.8))),
    ]
    tracks = follow(seen)
    together = "In the picture: everything shifts to the left (probably the camera turns or moves right)."
    assert frames._movements(clip(picture, picture, picture), tracks) == [together]
    changes = frames._changes(clip(picture, picture, picture), list(seen), tracks, ())
    assert changes == ["Changes: couch is first seen at 0.5 s (enters at the right)."]


def test_beside_something_that_stands_still_a_movement_is_not_the_cameras() -> None:
    picture = np.full((30, 30, 3), 128, dtype=np.uint8)
    couch = Detection("couch", 0.9, (0.0, 0.6, 0.4, 0.9))
    seen = [(couch, Detection("dog", 0.9, (left, 0.1, left + 0.2, 0.3))) for left in (0.3, 0.45, 0.6)]
    said = frames._movements(clip(picture, picture, picture), follow(seen))
    assert said == ["In the picture: dog moves from left to right (0.0 s to 1.0 s); couch without clear movement."]


def test_after_a_change_of_scene_nothing_enters_at_an_edge() -> None:
    dark, bright = np.full((30, 30, 3), 20, dtype=np.uint8), np.full((30, 30, 3), 220, dtype=np.uint8)
    couch = Detection("couch", 0.9, (0.6, 0.4, 1.0, 0.8))
    seen = [(), (couch,), ()]
    views = clip(dark, bright, dark)
    cuts = frames.scene_changes(views)
    assert cuts == (1, 2)
    (changes,) = frames._changes(views, list(seen), follow(seen, cuts=cuts), cuts)
    assert "enters" not in changes and "leaves" not in changes
    (uncut,) = frames._changes(views, list(seen), follow(seen), ())
    assert "enters at the right" in uncut and "leaves at the right" in uncut


def test_black_frames_are_dark_and_one_frame_has_no_changes(detector: Detector) -> None:
    black = np.zeros((40, 60, 3), dtype=np.uint8)
    expected = "No known kind of object is recognised in the frames.\nMain colours: black; the picture is dark."
    assert FramesExpert().write(clip(black)) == FramesExpert().write(clip(black, black, black)) == expected


def test_many_stretches_of_time_are_thinned_and_the_limit_is_said(detector: Detector) -> None:
    grey, cat = np.full((400, 600, 3), 60, dtype=np.uint8), photo("photo_chelsea")
    text = FramesExpert(max_lines=3).write(clip(*[grey, cat] * 4))
    assert "5 stretches of time between these are left out." in text
    assert text.count("nothing recognised") + text.count("cat (") == 3


def test_what_was_found_in_a_picture_is_remembered_by_its_content(detector: Detector) -> None:
    """A detector that has seen the picture before says the same as one that has not; a changed picture is looked at."""
    fresh = Detector(fetched(WEIGHTS), fetched(GRAPH))
    coffee = photo("photo_coffee").copy()
    first = fresh.detect(coffee, min_confidence=0.3)
    assert fresh.detect(coffee.copy(), min_confidence=0.3) == first == detector.detect(coffee, min_confidence=0.3)
    coffee[:] = 0
    assert fresh.detect(coffee, min_confidence=0.3) != first
    # The same bytes in another shape are another picture.
    assert fresh.detect(photo("photo_coffee").reshape(600, 400, 3), min_confidence=0.3) != first


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
