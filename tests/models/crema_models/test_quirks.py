"""Where the published code errs: with ``reference_quirks`` as it does, by its own outputs; without, what is right."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import crema_golden as golden
import numpy as np
import pytest
import torch

from lavis.common.errors import ConfigError
from lavis.models.crema_models.assembly import Span
from lavis.models.crema_models.network import CremaNetwork

PREFIX, QUERIES = 4, 32  # tokens of a frame's words where these are uneven, and of a frame
HALF = 2 * (PREFIX + QUERIES)


@pytest.fixture(autouse=True)
def _there() -> Iterator[None]:
    golden.needs_golden()
    yield


@functools.lru_cache(maxsize=2)
def network(case: str, *, quirks: bool) -> CremaNetwork:
    return golden.network(case, quirks=quirks)


@torch.no_grad()
def visual(case: str, *, quirks: bool, batch: int = 1) -> Span:
    """Return what the language model reads before the question."""
    net, samples = network(case, quirks=quirks), golden.samples(case, batch)
    return net.assembled({one.name: net.read(one, net.encode(one, samples)) for one in net.modalities})


def reference_mask(case: str) -> np.ndarray:
    mask: np.ndarray = golden.arrays()[f"{case}/b1/forward/t5_attention_mask"][0]
    return mask


def hidden(mask: torch.Tensor) -> list[int]:
    return torch.nonzero(mask[0] == 0)[:, 0].tolist()


@torch.no_grad()
def loss(case: str, *, quirks: bool) -> float:
    net, samples = network(case, quirks=quirks), golden.samples(case, 1)
    tokens = {one.name: net.read(one, net.encode(one, samples)) for one in net.modalities}
    span = net.inputs(tokens, net.vocabulary.spell(samples["qa_input"]))
    answers = net.vocabulary.spell(samples["qa_output"])
    output = net.t5_model(inputs_embeds=span.tokens, attention_mask=span.mask, labels=answers.labels)
    return float(output.loss)


def test_espresso_concat_hides_the_padding_of_prefixes_and_nothing_else() -> None:
    """Frame 2's words are two of four tokens. The reference hides two fused tokens in their second place instead."""
    case = "uneven2_rgb_depth_norm_espresso-concat"
    padded = [PREFIX + QUERIES + 2, PREFIX + QUERIES + 3]
    right = visual(case, quirks=False)
    assert hidden(right.mask) == [*padded, *(HALF + PREFIX + place for place in (2, 3))]
    as_published = visual(case, quirks=True)
    assert hidden(as_published.mask) == [*padded, *(HALF + place for place in padded)]
    np.testing.assert_array_equal(as_published.mask[0].numpy(), reference_mask(case)[: 2 * HALF])
    torch.testing.assert_close(right.tokens, as_published.tokens, rtol=0, atol=0)


def test_espresso_concat_is_the_reference_s_where_the_first_prefix_is_padded() -> None:
    """There the reference's second half is right by chance, so that both agree."""
    case = "uneven_rgb_depth_norm_espresso-concat"
    assert hidden(visual(case, quirks=False).mask) == hidden(visual(case, quirks=True).mask)
    assert loss(case, quirks=False) == pytest.approx(6.647775, abs=2e-5)


def test_espresso_hides_padded_words_where_the_reference_lets_them_be_read() -> None:
    """Frame 1's words are two of four tokens."""
    case = "uneven_rgb_depth_norm_espresso"
    assert hidden(visual(case, quirks=False).mask) == [2, 3]
    assert hidden(visual(case, quirks=True).mask) == []
    assert reference_mask(case)[:HALF].all()
    assert loss(case, quirks=True) == pytest.approx(6.184497, abs=2e-5)
    assert abs(loss(case, quirks=False) - 6.184497) > 1e-3


def test_three_frames_are_read_in_the_order_in_which_they_come() -> None:
    """[3 frames, 3 channels] and [3 channels, 3 frames] of the same clip give one answer; the reference gives two."""
    clip = golden.samples("T3_rgb_frame_quirk", 1)["rgb"]
    torch.testing.assert_close(clip, golden.samples("T3_rgb_video", 1)["rgb"].transpose(1, 2))
    assert loss("T3_rgb_video", quirks=False) == pytest.approx(7.022511, abs=2e-5)
    assert loss("T3_rgb_frame_quirk", quirks=False) == pytest.approx(7.022511, abs=2e-5)
    assert loss("T3_rgb_frame_quirk", quirks=True) == pytest.approx(7.133535, abs=2e-5)


def test_three_frames_of_three_channels_need_the_layout_said() -> None:
    net = golden.network("T3_rgb_frame_quirk", quirks=False)
    net.wiring = dataclasses.replace(net.wiring, rgb_layout=None)
    with pytest.raises(ConfigError, match=r"may lie either way; set model\.rgb_layout: frame"):
        net.encode(net.modalities[0], golden.samples("T3_rgb_frame_quirk", 1))


def test_points_alone_have_words_of_their_own_where_the_reference_says_audio() -> None:
    for quirks, words in ((False, [21, 22, 5, 23]), (True, [20, 5])):
        span = visual("pc", quirks=quirks)
        said = network("pc", quirks=quirks).embed(torch.tensor([words]))
        assert span.tokens.shape[1] == len(words) + QUERIES
        torch.testing.assert_close(span.tokens[:, : len(words)], said)


def test_points_beside_sound_are_read_where_the_reference_drops_them() -> None:
    """The reference's outputs with points equal those without."""
    with_points, without = visual("audio_pc_rgb", quirks=False), visual("audio_rgb", quirks=True)
    n = without.tokens.shape[1]
    assert with_points.tokens.shape[1] == n + PREFIX + QUERIES
    torch.testing.assert_close(with_points.tokens[:, :n], without.tokens)
    said = network("audio_pc_rgb", quirks=False).embed(torch.tensor([[21, 22, 5, 23]]))
    torch.testing.assert_close(with_points.tokens[:, n : n + PREFIX], said)
    torch.testing.assert_close(visual("audio_pc_rgb", quirks=True).tokens, without.tokens)
    assert loss("audio_pc_rgb", quirks=True) == pytest.approx(6.823401, abs=2e-5)


def test_points_that_pad_a_cloud_are_not_read_where_the_reference_reads_them() -> None:
    """Numbers in the places of padding change nothing; with quirks they do."""
    changed = {}
    for quirks in (False, True):
        net, samples = network("pc", quirks=quirks), golden.samples("pc", 1)
        samples["pc_mask"] = torch.arange(samples["pc_feat"].shape[1])[None] < 40
        other = {**samples, "pc_feat": samples["pc_feat"].clone()}
        other["pc_feat"][:, 40:] += 1.0
        with torch.no_grad():
            read = [net.read(net.modalities[0], net.encode(net.modalities[0], one)) for one in (samples, other)]
        changed[quirks] = float((read[0] - read[1]).abs().max())
    assert changed[False] == 0.0
    assert changed[True] > 1e-4
