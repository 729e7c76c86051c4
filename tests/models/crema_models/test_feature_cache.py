"""What is computed once for all questions on a medium, and that it changes no answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from crema_tiny import MadeUp, tiny

from lavis.models.crema_models.feature_cache import FeatureCache
from lavis.models.crema_models.network import Frozen

NAMES = ["rgb", "depth", "audio", "pc"]


def batches(data: MadeUp, size: int) -> list[dict[str, Any]]:
    return [data.collater([data[n] for n in range(at, min(at + size, len(data)))]) for at in range(0, len(data), size)]


def count(counts: dict[str, int], name: str, part: torch.nn.Module) -> None:
    part.register_forward_hook(lambda *_: counts.update({name: counts[name] + 1}))


def test_fifty_two_questions_on_a_scene_read_it_once_a_modality_and_answers_are_the_same() -> None:
    data = MadeUp(104, NAMES, "rgb", per_medium=52)
    asked = batches(data, 8)  # one of them spans both scenes
    answers, passes = {}, {}
    for cache_mb in (0, 100):
        model = tiny(modalities="_".join(NAMES), feature_cache_mb=cache_mb).eval()
        counts = {"pictures": 0, "sound": 0, "read": 0}
        count(counts, "pictures", model.network.visual_encoder)
        count(counts, "sound", model.network.audio_encoder.model)
        count(counts, "read", model.network.Qformer)
        answers[cache_mb] = torch.cat([model.rank_options(batch) for batch in asked])
        passes[cache_mb] = counts
    assert passes[100] == {"pictures": 2 * 2, "sound": 2, "read": 2 * 4}
    assert passes[0] == {"pictures": 13 * 2, "sound": 13, "read": 13 * 4}
    torch.testing.assert_close(answers[100], answers[0], rtol=0, atol=1e-5)


def test_an_answer_does_not_depend_on_what_else_is_in_the_batch() -> None:
    """Bit for bit: each medium is read by itself, whatever stands beside it."""
    data = MadeUp(6, ["rgb"], "rgb")
    model = tiny(feature_cache_mb=10).eval()
    together = model.answer_tokens(data.collater([data[n] for n in range(6)]))["rgb"]
    model.before_evaluation()
    alone = torch.cat([model.answer_tokens(data.collater([data[n]]))["rgb"] for n in range(6)])
    assert torch.equal(together, alone)


def test_features_are_forgotten_when_adapters_may_have_changed() -> None:
    data = MadeUp(2, ["rgb"], "rgb")
    samples = data.collater([data[0], data[1]])
    model = tiny(feature_cache_mb=10).eval()
    before = model.answer_tokens(samples)["rgb"]
    with torch.no_grad():
        model.network.t5_proj_rgb.bias.add_(1.0)
    assert torch.equal(model.answer_tokens(samples)["rgb"], before)
    model.before_evaluation()
    assert torch.allclose(model.answer_tokens(samples)["rgb"], before + 1.0)


def test_training_keeps_what_frozen_encoders_made_and_nothing_that_drops_at_random() -> None:
    data = MadeUp(4, ["rgb"], "rgb", per_medium=2)
    samples = data.collater([data[n] for n in range(4)])
    model = tiny(feature_cache_mb=10, lora_dropout=0.5).train()
    for name, parameter in model.named_parameters():
        if ".w_b_" in name:
            torch.nn.init.normal_(parameter.data)
    passes = []
    model.network.visual_encoder.register_forward_hook(lambda *_: passes.append(1))
    losses = {float(model(samples)["loss"].detach()) for _ in range(3)}
    assert len(passes) == 2 and len(losses) == 3
    assert not torch.equal(model.answer_tokens(samples)["rgb"], model.answer_tokens(samples)["rgb"])


def test_samples_that_name_no_medium_are_not_kept() -> None:
    data = MadeUp(2, ["rgb"], "rgb")
    samples = data.collater([data[0], data[1]])
    samples.pop("media_key")
    model = tiny(feature_cache_mb=10).eval()
    model.answer_tokens(samples)
    assert model.features.n_bytes == 0 and model.features.misses == 0


def features(n_bytes: int) -> Frozen:
    return Frozen(torch.zeros(1, 1, 1, n_bytes // 4))


def test_the_least_recently_used_goes_first_by_bytes() -> None:
    cache = FeatureCache(100)
    made: list[str] = []

    def get(key: str, size: int = 40) -> None:
        cache.get(key, lambda: (made.append(key), features(size))[1])

    get("a"), get("b"), get("a"), get("c")  # b is the oldest and goes
    assert cache.n_bytes == 80
    get("a"), get("c")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]
    get("larger than all", 200)
    assert cache.n_bytes == 80
    cache.clear()
    assert cache.n_bytes == 0
    assert (cache.hits, cache.misses) == (3, 5)


def test_a_cache_that_is_too_small_for_a_batch_still_reads_each_medium_once() -> None:
    data = MadeUp(4, ["rgb"], "rgb", per_medium=2)
    samples = data.collater([data[n] for n in range(4)])
    model = tiny().eval()
    model.features = FeatureCache(1)
    passes = []
    model.network.visual_encoder.register_forward_hook(lambda *_: passes.append(1))
    model.answer_tokens(samples)
    assert len(passes) == 2


@pytest.mark.parametrize("modality", NAMES)
def test_every_kind_of_features_is_kept_with_its_padding(modality: str) -> None:
    data = MadeUp(3, [modality], None)
    samples = data.collater([data[n] for n in range(3)])
    if modality == "pc":
        samples["pc_mask"][1, 2:] = False
    plain, keeping = (tiny(modalities=modality, feature_cache_mb=size).train() for size in (0, 10))
    one, other = (model.encode(samples)[modality] for model in (plain, keeping))
    torch.testing.assert_close(one.tokens, other.tokens)
    assert (one.mask is None) == (other.mask is None) == (modality != "pc")
    if one.mask is not None:
        assert torch.equal(one.mask, other.mask)
