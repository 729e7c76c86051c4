"""Ground truth: CLIP's published mean and std, and geometry that is checked with ramps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from lavis.processors import load_processor
from lavis.processors.frame_processors import MEAN, STD, Aligned, Crop, draw_crop


def clip(t: int = 2, h: int = 8, w: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (t, h, w, 3), dtype=np.uint8)


def size(px: int, **more: object) -> object:
    return OmegaConf.create({"image_size": px, **more})


def test_eval_normalises_each_channel_and_names_decide_the_order_of_axes() -> None:
    frames = clip()
    expected = (frames / 255.0 - np.array(MEAN)) / np.array(STD)

    time_first = load_processor("blip_frames_eval", size(8))(frames)
    channels_first = load_processor("blip_video_eval", size(8))(frames)

    assert time_first.dtype == torch.float32
    np.testing.assert_allclose(time_first.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    np.testing.assert_allclose(channels_first.numpy(), expected.transpose(3, 0, 1, 2), atol=1e-5)


def test_three_frames_are_not_taken_for_channels() -> None:
    assert load_processor("blip_frames_eval", size(8))(clip(t=3)).shape == (3, 3, 8, 8)
    frames = clip(t=3)
    assert torch.equal(
        load_processor("blip_video_eval", size(8))(frames),
        load_processor("blip_frames_eval", size(8))(frames).transpose(0, 1),
    )


def test_a_picture_has_no_time_axis_and_may_come_from_pillow() -> None:
    picture = clip()[0]
    process = load_processor("blip_image_eval", size(8))

    assert process(picture).shape == (3, 8, 8)
    assert torch.equal(process(Image.fromarray(picture)), process(picture))
    assert load_processor("blip2_image_train", size(8))(picture).shape == (3, 8, 8)


def test_defaults_are_those_of_the_reference() -> None:
    assert load_processor("blip_frames_eval")(clip()).shape == (2, 3, 256, 256)
    assert load_processor("blip2_video_train")(clip()).shape == (3, 2, 364, 364)
    assert load_processor("blip2_video_train", OmegaConf.create({"n_frms": 4})).n_frms == 4


def test_resizing_an_edge_stays_within_the_range_of_8_bit() -> None:
    """Bicubic overshoots at a black to white edge; as 8-bit it would wrap from white to black."""
    edge = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    edge[:, :, 8:] = 255
    process = load_processor(
        "blip_frames_eval", OmegaConf.create({"image_size": 40, "mean": [0, 0, 0], "std": [1, 1, 1]})
    )

    values = process(edge)

    assert values.min() == 0.0
    assert values.max() == 1.0
    assert (values[..., :15] < 0.1).all()
    assert (values[..., 25:] > 0.9).all()


@pytest.mark.parametrize(
    "item",
    [
        np.zeros((2, 8, 8, 3), dtype=np.float32),
        np.zeros((2, 3, 8, 8), dtype=np.uint8),
        np.zeros((8, 8), dtype=np.uint8),
        np.zeros((0, 8, 8, 3), dtype=np.uint8),
    ],
    ids=["float", "channels first", "grey", "no frame"],
)
def test_what_is_no_8_bit_rgb_is_refused_with_its_shape(item: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        load_processor("blip_frames_eval")(item)


def test_a_crop_is_within_the_picture_and_of_the_area_and_aspect_asked_for() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        crop = draw_crop(120, 160, scale=(0.5, 1.0), generator=generator)

        assert 0 <= crop.top <= 1 - crop.height
        assert 0 <= crop.left <= 1 - crop.width
        assert 0.5 - 1e-6 <= crop.height * crop.width <= 1.0
        assert 3 / 4 - 1e-6 <= crop.width * 160 / (crop.height * 120) <= 4 / 3 + 1e-6


def test_a_picture_too_narrow_for_any_draw_gets_its_largest_centred_box() -> None:
    crop = draw_crop(100, 1000, scale=(0.99, 1.0), generator=torch.Generator().manual_seed(0))

    assert crop.height == 1.0
    assert crop.width * 1000 == pytest.approx(100 * 4 / 3)
    assert crop.left == pytest.approx((1 - crop.width) / 2)


def test_all_modalities_of_a_sample_get_one_crop_at_their_own_resolution() -> None:
    """A ramp from left to right, in two resolutions, shows where a box was cut out."""
    plain = {"image_size": 16, "mean": [0, 0, 0], "std": [1, 1, 1]}
    processors = {
        "frame": load_processor("blip2_frames_train", OmegaConf.create(plain)),
        "depth": load_processor("blip2_video_train", OmegaConf.create(plain)),
        "text": load_processor("blip_question"),
    }

    def ramp(width: int) -> np.ndarray:
        row = np.linspace(0, 255, width).round().astype(np.uint8)
        return np.broadcast_to(row[None, None, :, None], (2, width, width, 3)).copy()

    lefts = set()
    for seed in range(5):
        aligned = Aligned(processors, torch.Generator().manual_seed(seed))
        items = {"frame": ramp(128), "depth": ramp(64), "text": "Where?"}
        done = {name: aligned[name](item) for name, item in items.items()}
        assert torch.allclose(done["frame"], done["depth"].transpose(0, 1), atol=0.03)
        assert done["text"] == "where?"
        lefts.add(round(float(done["frame"][0, 0, 0, 0]), 3))
    assert len(lefts) > 1


def test_crops_follow_the_generator() -> None:
    frames = clip(h=32, w=32)
    seeded = OmegaConf.create({"image_size": 16, "seed": 7})
    first, second = (load_processor("blip2_frames_train", seeded) for _ in range(2))

    a, b = first(frames), first(frames)

    assert torch.equal(a, second(frames))
    assert not torch.equal(a, b)
    torch.manual_seed(3)
    free = load_processor("blip2_frames_train", size(16))
    c = free(frames)
    torch.manual_seed(3)
    assert torch.equal(c, free(frames))


def test_a_given_crop_is_cut_exactly() -> None:
    frames = clip(h=16, w=16)
    process = load_processor("blip2_frames_train", size(8))

    cut = process(frames, Crop(top=0.25, left=0.5, height=0.5, width=0.5))

    assert torch.equal(cut, load_processor("blip_frames_eval", size(8))(frames[:, 4:12, 8:16]))


def test_a_crop_covers_at_least_one_pixel() -> None:
    assert Crop(0.999, 0.999, 0.0001, 0.0001).box_px(3, 3) == (2, 2, 3, 3)
