"""Every stage against the reference's own outputs: tower, sound, Q-Former, projection, fusion, logits, gradients.

The truth are numbers that the published code printed at a tiny size, with weights and inputs from seeds; the tolerances
are ten times what float32 and float64 differ by there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import crema_golden as golden
import numpy as np
import pytest
import torch

from lavis.common.errors import ConfigError
from lavis.models.crema_models.answering import Answering
from lavis.models.crema_models.assembly import Span
from lavis.models.crema_models.crema import Crema
from lavis.models.crema_models.network import CremaNetwork, Frozen
from lavis.models.crema_models.published_names import to_published
from lavis.models.crema_models.settings import CremaSettings

# Cases that the reference runs, at a batch of two and at one.
BOTH = (
    "rgb",
    "rgb_depth",
    "rgb_depth_norm_espresso",
    "audio_rgb",
    "rgb-skip",
    "audio_pc_rgb",
    "rgb_audio_flow_espresso-concat",
    "rgb_skip_depth",
    "uneven_rgb",
    "uneven_rgb_depth_norm_espresso-concat",
    "uneven_rgb_depth_norm_espresso",
    "uneven2_rgb_depth_norm_espresso-concat",
    "uneven2_rgb_depth",
    "T1_rgb",
    "T3_rgb_frame_quirk",
    "T3_rgb_video",
)
# Those that it runs at a batch of two alone.
TWO = ("pc_rgb", "audio", "pc")
# A batch of one is another number of rows, not another way through the code: a few cases stand for all.
ONE = ("rgb", "audio_rgb", "rgb_depth_norm_espresso", "uneven2_rgb_depth_norm_espresso-concat", "T1_rgb")
RUNS = [*((case, 2) for case in (*BOTH, *TWO)), *((case, 1) for case in ONE)]
VALUES, ENCODED, LOGITS, LOSS = 1e-5, 5e-5, 1e-4, 2e-5


@functools.lru_cache(maxsize=1)
def network(case: str) -> CremaNetwork:
    return golden.network(case)


def stages(net: CremaNetwork, samples: dict[str, Any]) -> tuple[dict[str, torch.Tensor], Span]:
    """Return the values between the parts by the names of the reference's outputs, and what the model reads."""
    found: dict[str, torch.Tensor] = {}
    tokens: dict[str, torch.Tensor] = {}
    hooks = [
        net.Qformer.register_forward_hook(
            lambda _, given, read: found.update({f"qformer_in_{given[3] or name}": given[1], f"qformer_{name}": read})
        )
    ]
    if hasattr(net, "fusion"):
        hooks.append(
            net.fusion[0].register_forward_hook(lambda _, given, out: found.update(fusion_in=given[0], fusion_out=out))
        )
    for one in net.modalities:
        name = one.name
        frozen = net.encode(one, samples)
        found |= _encoded(one.spec.source, name, frozen)
        tokens[name] = net.read(one, frozen)
        if one.skips_adapter:
            found[f"qformer_in_{name}"] = found.pop(f"qformer_in_{name}", found.get(f"qformer_in_{name}"))
        found[f"t5_proj_{name}"] = tokens[name].flatten(0, 1)
    span = net.inputs(tokens, net.vocabulary.spell(samples["qa_input"]))
    for hook in hooks:
        hook.remove()
    if "fusion_out" in found:
        found["fused_gated"] = found["fusion_out"].sigmoid() * found["fusion_out"]
    return found | {"t5_inputs_embeds": span.tokens}, span


def _encoded(source: str, name: str, frozen: Frozen) -> dict[str, torch.Tensor]:
    if source == "pictures":
        return {f"vit_{name}": frozen.tokens.flatten(0, 1)}
    if source == "sound":
        return {f"beats_seg{segment}": frozen.tokens[:, segment] for segment in range(frozen.tokens.shape[1])}
    return {}


def logits(net: CremaNetwork, span: Span, samples: dict[str, Any]) -> Any:
    answers = net.vocabulary.spell(samples["qa_output"])
    return net.t5_model(
        inputs_embeds=span.tokens,
        attention_mask=span.mask,
        decoder_attention_mask=answers.mask,
        labels=answers.labels,
    )


@functools.lru_cache(maxsize=len(RUNS))
def ran(case: str, batch: int) -> tuple[dict[str, tuple[list[int], Any]], Span, Any]:
    """Return shapes and fingerprints of a run's stages, what the language model read, and what it said."""
    net, samples = network(case), golden.samples(case, batch)
    with torch.no_grad():
        found, span = stages(net, samples)
        output = logits(net, span, samples)
    return {name: (list(value.shape), golden.fingerprint(value)) for name, value in found.items()}, span, output


@pytest.mark.parametrize(("case", "batch"), RUNS)
def test_every_stage_is_the_reference_s(case: str, batch: int) -> None:
    found, span, output = ran(case, batch)
    truth = golden.arrays()
    where = f"{case}/b{batch}/forward"
    checked = 0
    for name, (shape, printed) in found.items():
        if f"{where}/{name}|fp" in truth:
            assert shape == golden.meta()["shapes"][f"{where}/{name}"], name
            np.testing.assert_allclose(printed, truth[f"{where}/{name}|fp"], atol=VALUES, err_msg=name)
            checked += 1
    assert checked >= 3
    np.testing.assert_array_equal(span.mask.numpy(), truth[f"{where}/t5_attention_mask"])
    np.testing.assert_allclose(span.tokens.norm(dim=-1).numpy(), truth[f"{where}/t5_inputs_embeds|tok_l2"], atol=1e-4)
    encoded = golden.fingerprint(output.encoder_last_hidden_state)
    np.testing.assert_allclose(encoded, truth[f"{where}/t5_encoder_out|fp"], atol=ENCODED, rtol=1e-5)
    np.testing.assert_allclose(output.logits.numpy(), truth[f"{where}/logits"], atol=LOGITS)
    loss = golden.meta()["cases"][case]["runs"][f"b{batch}"]["forward"].get("loss")
    assert (loss is None) == (case in TWO and case != "pc_rgb"), "what the reference can't compute is known"
    if loss is not None:
        assert float(output.loss) == pytest.approx(loss, abs=LOSS)


@pytest.mark.parametrize("case", ["rgb_depth", "rgb_audio_flow_espresso-concat", "pc_rgb", "rgb_skip_depth"])
def test_gradients_are_the_reference_s(case: str) -> None:
    net, samples = network(case), golden.samples(case, 2)
    net.zero_grad()
    _, span = stages(net, samples)
    logits(net, span, samples).loss.backward()
    found = {
        to_published(name): float(parameter.grad.double().norm())
        for name, parameter in net.named_parameters()
        if parameter.grad is not None
    }
    names = golden.meta()["cases"][case]["grad_names_with_grad"]
    truth = dict(zip(names, golden.arrays()[f"{case}/b2/forward/grad_l2"].tolist(), strict=True))
    assert set(found) == set(truth)
    for name, norm in truth.items():
        if norm > 1e-6:
            assert found[name] == pytest.approx(norm, rel=1e-4), name


def answering(net: CremaNetwork) -> Answering:
    return Answering(net, CremaSettings(downstream_task="mcqa"))


@pytest.mark.parametrize(("case", "batch"), [run for run in RUNS if not run[0].startswith("uneven")])
def test_options_are_scored_as_the_reference_does(case: str, batch: int) -> None:
    _, span, _ = ran(case, batch)
    with torch.no_grad():
        scores = answering(network(case)).option_scores(span)
    np.testing.assert_allclose(scores.numpy(), golden.arrays()[f"{case}/b{batch}/mcqa/option_scores"], atol=LOGITS)
    chosen = golden.meta()["cases"][case]["runs"][f"b{batch}"]["mcqa"]["out"]
    assert scores.argmax(dim=-1).tolist() == chosen


@pytest.mark.parametrize(("case", "modalities"), [("audio", "audio"), ("pc", "pc"), ("pc_rgb", "pc_rgb")])
def test_what_the_reference_crashes_on_at_a_batch_of_one_equals_its_row_in_a_batch_of_two(
    case: str, modalities: str
) -> None:
    """A row's answer depends on its row alone; the reference's own numbers for two rows are the truth."""
    net = network(case)
    with torch.no_grad():
        _, one = stages(net, golden.samples(case, 1))
        scores = answering(net).option_scores(one)
    truth = golden.arrays()[f"{case}/b2/mcqa/option_scores"]
    np.testing.assert_allclose(scores.numpy(), truth[:1], atol=LOGITS)


def test_depth_alone_works_where_the_reference_crashes() -> None:
    net, samples = network("depth"), golden.samples("depth", 1)
    with torch.no_grad():
        found, span = stages(net, samples)
        output = logits(net, span, samples)
    assert torch.isfinite(output.loss)
    assert span.tokens.shape[1] == 2 * (3 + 32) + 13, "two frames with their prefixes, and the question"
    assert found["vit_depth"].shape == (2, 17, 1408)


def test_espresso_with_one_modality_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="espresso fuses other modalities into rgb"):
        golden.network("rgb_espresso")


@pytest.fixture(autouse=True)
def _there() -> Iterator[None]:
    golden.needs_golden()
    yield


def test_the_model_around_the_network_gives_the_same_loss() -> None:
    model = Crema(network("rgb_depth"), CremaSettings(modalities="rgb_depth", frame_num=2)).eval()
    loss = model(golden.samples("rgb_depth", 2))["loss"]
    assert float(loss.detach()) == pytest.approx(6.379791, abs=LOSS)
