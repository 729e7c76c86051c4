"""The words of ``model.modalities``, and the tensors of a sample that they stand for."""

from __future__ import annotations

import pytest
import torch

from lavis.common.errors import ConfigError
from lavis.models.crema_models.inputs import frames_first, sample_tensor
from lavis.models.crema_models.modalities import SPECS, Modality, read_modalities

RGB = Modality(SPECS["rgb"])


def test_the_order_is_kept_and_skip_is_read() -> None:
    found = read_modalities("audio_rgb-skip_pc")
    assert [(one.name, one.skips_adapter, one.is_pictures) for one in found] == [
        ("audio", False, False),
        ("rgb", True, True),
        ("pc", False, False),
    ]


def test_every_modality_that_crema_publishes_and_both_of_its_readme_are_known() -> None:
    found = read_modalities("rgb_depth_flow_norm_touch_thermal_audio_pc")
    assert {one.name: one.spec.sample_key for one in found if one.name != one.spec.sample_key} == {"pc": "pc_feat"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rgb_dept", "'dept', which is no modality. Did you mean 'depth'"),
        ("rgb_depth_rgb-skip", "names 'rgb' twice"),
        ("", "names '', which is no modality"),
        ("rgb-depth", "names 'rgb-depth'"),
        ("frame", "Known, joined by '_': rgb, depth"),
    ],
)
def test_what_is_no_modality_is_said_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_modalities(text)
    assert said in str(caught.value)


def test_a_sample_without_the_tensor_says_which_it_has() -> None:
    depth = Modality(SPECS["depth"])
    samples = {"rgb": torch.zeros(1), "qa_input": ["what"], "audio": torch.zeros(1)}
    with pytest.raises(
        ConfigError, match=r"has 'depth', and the samples have no tensor 'depth' \(theirs: audio, rgb\)"
    ):
        sample_tensor(samples, depth)
    assert sample_tensor(samples, RGB) is samples["rgb"]


def numbered(n_frames: int) -> torch.Tensor:
    """Return [1, t, 3, 2, 2] in which frame i, channel c is 10 i + c."""
    frames = 10 * torch.arange(n_frames).view(-1, 1) + torch.arange(3)
    return frames[None, :, :, None, None].expand(1, n_frames, 3, 2, 2).float()


@pytest.mark.parametrize("n_frames", [1, 2, 4])
def test_frames_come_first_whichever_way_they_lie(n_frames: int) -> None:
    clip = numbered(n_frames)
    for given in (clip, clip.transpose(1, 2)):
        for quirks in (False, True):
            found = frames_first(given, RGB, n_frames, layout=None, quirks=quirks)
            torch.testing.assert_close(found, clip)


def test_three_frames_follow_the_layout() -> None:
    clip = numbered(3)
    torch.testing.assert_close(frames_first(clip, RGB, 3, layout="frame", quirks=False), clip)
    torch.testing.assert_close(frames_first(clip.transpose(1, 2), RGB, 3, layout="video", quirks=False), clip)
    with pytest.raises(ConfigError, match="three frames of three channels"):
        frames_first(clip, RGB, 3, layout=None, quirks=False)


@pytest.mark.parametrize("given", [numbered(4), numbered(4).transpose(1, 2), numbered(2)[:, :, :1]])
def test_another_number_of_frames_or_channels_is_never_folded_into_the_batch(given: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match=r"does not have model\.frame_num = 2 frames of 3 channels"):
        frames_first(given, RGB, 2, layout=None, quirks=False)


def test_what_is_no_batch_of_clips_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"rgb \[2, 3, 2, 2\] is no batch of clips"):
        frames_first(numbered(2)[0], RGB, 2, layout=None, quirks=False)
