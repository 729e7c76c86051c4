"""What experts show of each modality, as it arrives at a real server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frames_on_disk import picture_of, words_of
from provider import Provider, reply

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.datasets.loaders.charts import Chart
from lavis.datasets.loaders.pages import HeldPictures, Pages
from lavis.datasets.loaders.tables import Table
from lavis.datasets.question import Media, Question
from lavis.experts.served.documents import ChartReadingExpert, PagesReadingExpert, TableReadingExpert
from lavis.experts.served.maps import DepthPictureExpert, FlowPictureExpert, NormalsPictureExpert
from lavis.experts.served.medical import CTDescriptionExpert
from lavis.experts.served.reading import TextTranscriptExpert
from lavis.experts.served.scene import SceneDescriptionExpert
from lavis.experts.served.vision import CaptionLinesExpert, ImageDescriptionExpert, TouchDescriptionExpert

Make = Callable[..., Any]
PATH = Path("/media/one")


def clip(array: Array, modality: str = "frame", shape: str = "t h w c", unit: str = "uint8 RGB", **more: Any) -> Clip:
    times = tuple(0.5 * k for k in range(len(array))) if shape.startswith("t") else ()
    return Clip("one", modality, array, shape, unit, PATH, timestamps_s=times, **more)


def noise(n: int, height: int = 60, width: int = 80) -> Array:
    return np.random.default_rng(0).integers(0, 256, (n, height, width, 3), np.uint8)


def pictures(provider: Provider, number: int = -1) -> list[Array]:
    parts = provider.requests[number].body["messages"][-1]["content"]
    return [picture_of(part) for part in parts if part["type"] == "image_url"]


def words(provider: Provider, number: int = -1) -> str:
    return words_of(provider.requests[number].body)


def close_to(picture: Array, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(picture.reshape(-1, 3).mean(axis=0) - colour).max() < 6)


# -- frames ------------------------------------------------------------------------------------


def test_captions_bear_their_moments(make: Make, provider: Provider) -> None:
    provider.script = [reply("Picture 1: a cat.\n**Picture 2:** a dog.\nPicture 9: nothing.\n\nThat is all.")]
    text = make(CaptionLinesExpert).write(clip(noise(2)))
    assert text == "At 0.0 s: a cat.\nAt 0.5 s: a dog.\nPicture 9: nothing.\nThat is all."


def test_detail_is_looked_for_in_sharp_frames_alone(make: Make, provider: Provider) -> None:
    frames = noise(4)
    frames[[0, 2]] = 128
    make(ImageDescriptionExpert).write(clip(frames))
    assert words(provider).startswith("Picture 1: at 0.5 s.\nPicture 2: at 1.5 s.\n")
    assert len(pictures(provider)) == 2


def test_a_single_picture_needs_no_label_and_reading_needs_pixels(make: Make, provider: Provider) -> None:
    make(TextTranscriptExpert).write(clip(noise(1, 900, 1600)))
    assert pictures(provider)[0].shape == (720, 1280, 3)
    assert words(provider) == TextTranscriptExpert.instruction
    make(TextTranscriptExpert, longest_side_px=160).write(clip(noise(1, 900, 1600)))
    assert pictures(provider)[0].shape == (90, 160, 3)


def test_touch_is_not_taken_for_a_scene(make: Make, provider: Provider) -> None:
    make(TouchDescriptionExpert).write(clip(noise(3), "touch"))
    assert "touch sensor" in words(provider)
    with pytest.raises(ModalityError, match="one: touch at /media/one has no frame"):
        make(TouchDescriptionExpert).write(clip(noise(3)[:0], "touch"))


def test_a_scene_is_told_the_standpoint_and_the_question_but_no_gold(make: Make, provider: Provider) -> None:
    question = Question("q", "What is left of me?", Media("one", {}), situation="I face the door.", answers=("lamp",))
    make(SceneDescriptionExpert).write(clip(noise(3)), question=question.blind())
    assert "The standpoint: I face the door.\nSomebody will have to answer: What is left of me?" in words(provider)
    assert "lamp" not in str(provider.requests[0].body)


# -- maps --------------------------------------------------------------------------------------


def test_depth_arrives_on_one_scale_that_is_told_in_metres(make: Make, provider: Provider) -> None:
    depth_m = np.full((2, 32, 32), 4.0, np.float32)
    depth_m[0] = 1.0
    make(DepthPictureExpert).write(clip(depth_m, "depth", "t h w", "m"))
    near, far = pictures(provider)
    assert (near.mean(), far.mean()) == (pytest.approx(255, abs=3), pytest.approx(24, abs=3))
    assert "white is 1.0 m away or nearer, the darkest grey 4.0 m or farther" in words(provider)


def test_depth_without_a_scale_says_so_and_disparity_is_turned_round(make: Make, provider: Provider) -> None:
    disparity = np.full((2, 32, 32), 0.2, np.float32)
    disparity[0] = 0.8
    make(DepthPictureExpert).write(clip(disparity, "depth", "t h w", "relative disparity"))
    near, far = pictures(provider)
    assert near.mean() > far.mean()
    assert "without a scale in metres" in words(provider)
    assert " m away" not in words(provider)


def test_flow_arrives_as_colours_with_their_length_in_px(make: Make, provider: Provider) -> None:
    flow_px = np.zeros((2, 32, 48, 2), np.float32)
    flow_px[1, ..., 0] = 6.0
    make(FlowPictureExpert).write(clip(flow_px, "flow", unit="px"))
    still, right = pictures(provider)
    assert close_to(still, (255, 255, 255))
    assert close_to(right, (255, 0, 0))
    assert "6.0 px or more from one frame to the next in a picture 48 px wide" in words(provider)


def test_normals_arrive_as_the_colours_that_are_told(make: Make, provider: Provider) -> None:
    up = np.zeros((1, 32, 32, 3), np.float32)
    up[..., 1] = -1.0
    make(NormalsPictureExpert).write(clip(up, "norm", unit="unit vectors"))
    assert close_to(pictures(provider)[0], (128, 0, 128))
    assert "like a floor, purplish red (128, 0, 128)" in words(provider)


@pytest.mark.parametrize("cls", [DepthPictureExpert, FlowPictureExpert, NormalsPictureExpert])
def test_maps_of_which_nothing_is_known_are_an_error(make: Make, provider: Provider, cls: Any) -> None:
    shape = "t h w" if cls is DepthPictureExpert else "t h w c"
    channels = {"t h w": (), "t h w c": (2 if cls is FlowPictureExpert else 3,)}[shape]
    unknown = np.full((2, 8, 8, *channels), np.nan, np.float32)
    with pytest.raises(ModalityError, match=r"one: no .* is known .*/media/one"):
        make(cls).write(clip(unknown, cls.card.modality, shape, "m"))
    assert provider.requests == []


# -- scans -------------------------------------------------------------------------------------


def volume(values: Array, **extras: Array) -> Clip:
    return clip(values, "volume", "d h w", "stored", extras=extras)


def test_slices_arrive_through_the_window_with_their_place(make: Make, provider: Provider) -> None:
    values = np.full((40, 32, 32), -1000.0, np.float32)
    values[:, 8:24, 8:24] = np.linspace(-160, 240, 40)[:, None, None]
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [2.5, 0, 0, 0], [0, 0, 0, 1]], float)
    make(CTDescriptionExpert, n_images=3).write(volume(values, spacing_mm=np.array([2.5, 1, 1]), affine=affine))
    assert [round(float(picture[16, 16, 0]), -1) for picture in pictures(provider)] == [0, 130, 260]
    assert words(provider).startswith(
        "Picture 1: slice 1 of 40, 0 mm from the first.\nPicture 2: slice 21 of 40, 50 mm from the first.\n"
        "Picture 3: slice 40 of 40, 98 mm from the first.\nThe slices are axial, from feet to head. "
        "Black is -160 or less, white 240 or more (probably Hounsfield units; a window for soft tissue)."
    )


def test_a_volume_without_unit_or_directions_says_so(make: Make, provider: Provider) -> None:
    values = np.linspace(0, 1, 4 * 32 * 32, dtype=np.float32).reshape(4, 32, 32)
    make(CTDescriptionExpert).write(volume(values))
    assert "The slices are taken as axial." in words(provider)
    assert "values without a known unit" in words(provider)
    make(CTDescriptionExpert, window=[0.25, 0.75]).write(volume(values))
    assert "Black is 0.25 or less, white 0.75 or more (as configured)." in words(provider)
    sagittal = np.array([[-1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], float)
    make(CTDescriptionExpert).write(volume(values, affine=sagittal))
    assert "The slices are sagittal, from right to left." in words(provider)


def test_a_scan_of_nothing_and_a_window_of_nothing_are_refused(make: Make) -> None:
    with pytest.raises(ModalityError, match="no value is known"):
        make(CTDescriptionExpert).write(volume(np.full((2, 4, 4), np.nan, np.float32)))
    with pytest.raises(ConfigError, match=r"vlm_ct\.window"):
        CTDescriptionExpert(window=[5, 5])


# -- documents ---------------------------------------------------------------------------------


def test_pages_arrive_evenly_spread_and_the_rest_is_told(make: Make, provider: Provider) -> None:
    sheets = {k: np.full((40, 30, 3), 20 * k, np.uint8) for k in range(10)}
    pages = Pages("one", PATH, tuple(range(10)), ("",) * 10, ((40, 30),) * 10, HeldPictures(sheets))
    provider.script = [reply("Page one.")]
    text = make(PagesReadingExpert, n_images=2).write(pages)
    assert text == "2 of 10 pages were looked at.\nPage one."
    assert [round(float(picture.mean()) / 20) for picture in pictures(provider)] == [0, 9]
    assert words(provider).startswith("Picture 1: page 1.\nPicture 2: page 10.\n")


def test_a_chart_arrives_as_its_picture_alone(make: Make, provider: Provider) -> None:
    table = Table("one", ("year", "sales"), (("2020", "5"),), Path("/media/one.csv"))
    picture = dataclasses.replace(clip(noise(1)), array=noise(1)[0], shape="h w c", timestamps_s=())
    make(ChartReadingExpert).write(Chart(picture, table))
    assert pictures(provider)[0].shape == (60, 80, 3)
    assert "sales" not in words(provider)
    with pytest.raises(ModalityError, match=r"only its table \(/media/one\.csv\)"):
        make(ChartReadingExpert).write(Chart(None, table))


def test_a_table_arrives_as_a_picture_and_what_was_cut_is_told(make: Make, provider: Provider) -> None:
    rows = tuple((str(k), "x") for k in range(60))
    provider.script = [reply("A list.")]
    text = make(TableReadingExpert).write(Table("one", ("number", "letter"), rows, PATH))
    assert text == "Only the first 40 of 60 rows were looked at.\nA list."
    assert pictures(provider)[0].shape[0] > 41 * 20
    assert "boxes" not in words(provider)


def test_cells_that_the_picture_cannot_write_are_told_in_words(make: Make, provider: Provider) -> None:
    make(TableReadingExpert).write(Table("one", ("city", "n"), (("東京", "1"),), PATH))
    assert "city | n\n東京 | 1" in words(provider)
