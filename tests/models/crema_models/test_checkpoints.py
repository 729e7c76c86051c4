"""Weights in and out: the published layout, other people's files, damaged ones, and this project's own."""

from __future__ import annotations

import json
import pickle
import resource
from pathlib import Path
from typing import Any

import crema_golden as golden
import pytest
import torch
from crema_tiny import MODEL, tiny

from lavis.common.errors import WeightsError
from lavis.models.crema_models.building import build_network
from lavis.models.crema_models.checkpoints import FROZEN, adapters, load_into, load_named_weights
from lavis.models.crema_models.crema import Crema
from lavis.models.crema_models.published_names import alias_of, is_dead, to_published
from lavis.models.crema_models.settings import CremaSettings
from lavis.models.crema_models.weight_files import open_weights, save_weights

SOUND = "audio_encoder.model."
CASES = ("rgb", "audio_pc_rgb", "rgb_audio_flow_espresso-concat", "rgb_skip_depth")
FULL = (
    ("rgb", "train"),
    ("audio_rgb", "train"),
    ("pc_rgb", "train"),
    ("rgb_depth", "train"),
    ("rgb_audio_flow", "espresso"),
    ("rgb_pc_depth_norm", "espresso-concat"),
    ("rgb_depth_flow_norm", "espresso-concat"),
    ("rgb_depth_norm", "espresso"),
    ("rgb-skip", "train"),
    ("audio", "train"),
    ("pc", "train"),
)


def settings_of(case: str, **more: Any) -> CremaSettings:
    """Return the settings of a case of the reference's tiny size."""
    about, config = golden.meta()["cases"][case], golden.meta()["config"]
    return CremaSettings(
        modalities=about["modalities"],
        task=about["task"],
        frame_num=about["frame_num"],
        lora_rank=config["lora_rank"],
        num_query_token=config["NQ"],
        size=golden.size(),
        t5={"vocab_size": 512, **config["T5"]},
        t5_model="bytes",
        **more,
    )


def published(model: Crema) -> dict[str, torch.Tensor]:
    return {to_published(name): tensor for name, tensor in model.network.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("case", CASES)
def test_a_published_checkpoint_fits_and_comes_back_name_for_name(case: str, tmp_path: Path) -> None:
    """The layout is the reference's own state dict, with weights drawn by name."""
    state = golden.published_state(case)
    torch.save({"model": state, "epoch": 3}, tmp_path / "crema.pth")
    settings = settings_of(case, load_finetuned=True, finetuned=str(tmp_path / "crema.pth"))
    model = Crema(build_network(settings), settings)

    (report,) = load_named_weights(model, settings)

    used = {name: tensor for name, tensor in state.items() if not is_dead(name)}
    ours = published(model)
    assert same(ours, used), [n for n in used if n not in ours or not torch.equal(ours[n], used[n])]
    assert report.missing == () and report.unexpected == () and set(report.dead) >= {n for n in state if is_dead(n)}
    assert not any(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(("modalities", "task"), FULL)
def test_the_full_size_has_the_published_names_shapes_and_counts(modalities: str, task: str) -> None:
    """The truth are the reference's own lists, made on the meta device; dead parameters are not built."""
    golden.needs_golden()
    settings = CremaSettings(modalities=modalities, task=task, t5_model="bytes")
    network = build_network(settings)
    theirs = json.loads((golden.FOLDER / f"fullkeys_{modalities}_{task}.json").read_text())
    counts = json.loads((golden.FOLDER / "full_counts.json").read_text())[f"{modalities}|{task}"]

    ours = {to_published(name): list(tensor.shape) for name, tensor in network.state_dict().items()}

    assert ours == {name: shape for name, (shape, _) in theirs.items() if not is_dead(name)}
    trained = sum(one.numel() for one in network.parameters() if one.requires_grad)
    unused_norm = 2 * 1408 if "pc" in modalities else 0
    assert trained == counts["trainable_without_gradsel"] - unused_norm
    dead = sum(torch.Size(shape).numel() for name, (shape, kind) in theirs.items() if is_dead(name) and "float" in kind)
    assert sum(one.numel() for one in network.parameters()) == counts["total"] - dead
    assert len(theirs) == counts["n_keys"]
    assert all(one.is_meta for one in network.parameters()), "nothing of that size is in memory"


def test_adapters_of_every_modality_are_kept_whichever_learns(tmp_path: Path) -> None:
    model = tiny(modalities="rgb_depth_audio", task="espresso-concat-seq")
    for name, parameter in model.named_parameters():
        if ".w_b_" in name:
            torch.nn.init.normal_(parameter.data)
    path = tmp_path / "adapters.safetensors"
    save_weights(adapters(model), path, {"modalities": "rgb_depth_audio"})

    other = tiny(seed=5, modalities="rgb_depth_audio", task="espresso-concat-seq", mmqa_ckpt=str(path))

    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    found = dict(other.named_parameters())
    assert all(torch.equal(one, found[name]) for name, one in trained.items())
    assert all(found[name].requires_grad for name in trained)
    names = set(open_weights(str(path)).tensors)
    layer = "Qformer.bert.encoder.layer.0.attention.self.query"
    assert {f"{layer}.w_a_{m}.weight" for m in ("rgb", "depth", "audio")} | {
        "fusion.0.weight",
        "ln_audio.bias",
    } <= names
    assert not any(name.startswith(("t5_model", "visual_encoder", "audio_encoder")) for name in names)


def test_training_does_not_write_into_the_file_it_began_from(tmp_path: Path) -> None:
    path = tmp_path / "adapters.safetensors"
    save_weights(adapters(tiny()), path, {})
    before = path.read_bytes()
    model = tiny(seed=3, mmqa_ckpt=str(path))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "way_out"),
    [
        ({"lora_rank": 8}, "lora_rank"),
        ({"num_query_token": 6}, "num_query_token"),
        ({"modalities": "rgb_depth"}, "order rgb_depth_norm"),
        ({"modalities": "rgb_depth", "unnamed": True}, "as many modalities"),
        ({"modalities": "rgb_norm_depth"}, "order rgb_depth_norm"),
        (
            {"size": {**MODEL["size"], "qformer": {**MODEL["size"]["qformer"], "width": 64}}},
            r"model\.size is another's",
        ),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_by_what_decides_it(
    change: dict[str, Any], way_out: str, tmp_path: Path
) -> None:
    path = tmp_path / "adapters.safetensors"
    given: dict[str, Any] = {"modalities": "rgb_depth_norm", "task": "espresso"}
    about = {} if change.pop("unnamed", False) else {"modalities": "rgb_depth_norm"}
    save_weights(adapters(tiny(**given)), path, about)
    with pytest.raises(WeightsError, match=way_out):
        tiny(**{**given, **change}, mmqa_ckpt=str(path))


def test_names_that_mean_nothing_are_an_error_and_other_modalities_are_told() -> None:
    model = tiny(modalities="rgb")
    state = {**adapters(tiny(modalities="rgb_depth")), "rgb_gradsel_embed": torch.zeros(1, 4)}
    report = load_into(model, state, "a file", given=set())
    assert "query_tokens_depth" in report.other_modalities and report.dead == ("rgb_gradsel_embed",)
    with pytest.raises(WeightsError, match=r"mean nothing here .*lora_weights"):
        load_into(model, {**state, "lora_weights": torch.zeros(1)}, "a file", given=set())


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("was_executed"),))


def test_damaged_files_and_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = tmp_path / "good.pth"
    torch.save({"model": adapters(tiny())}, good)
    for name in ("cut.pth", "cut.safetensors"):
        source = good
        if name.endswith("safetensors"):
            source = tmp_path / "good.safetensors"
            save_weights(adapters(tiny()), source, {})
        (tmp_path / name).write_bytes(source.read_bytes()[:-200])
        with pytest.raises(WeightsError, match=name):
            tiny(mmqa_ckpt=str(tmp_path / name))
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"model": Evil()}))
    torch.save({"model": {"x": Evil()}}, tmp_path / "evil_zip.pth")
    for name in ("evil.pth", "evil_zip.pth"):
        with pytest.raises(WeightsError, match="code, which is never run"):
            tiny(mmqa_ckpt=str(tmp_path / name))
    assert not (tmp_path / "was_executed").exists()
    with pytest.raises(WeightsError, match="no such file"):
        tiny(mmqa_ckpt=str(tmp_path / "absent.pth"))


def test_frozen_parts_that_no_file_gives_are_an_error() -> None:
    with pytest.raises(WeightsError, match=r"No file gives \d+ frozen weights .*model\.blip2"):
        tiny(random_weights=False)


def test_what_no_file_gives_is_drawn_by_the_seed_and_leaves_the_runs_numbers(tmp_path: Path) -> None:
    state = {name: one for name, one in published(tiny()).items() if ".w_" not in name or ".w." in name}
    torch.save(state, tmp_path / "frozen.pth")
    given = {"random_weights": False, "load_pretrained": True, "pretrained": str(tmp_path / "frozen.pth")}
    torch.manual_seed(4)
    expected = torch.rand(3)
    models = []
    for seed in (4, 4, 5):
        torch.manual_seed(seed)
        models.append(Crema.from_config({**MODEL, **given}))
        if seed == 4:
            assert torch.equal(torch.rand(3), expected)
    one, again, other = (adapters(model) for model in models)
    name = "Qformer.bert.encoder.layer.0.attention.self.query.w_a_rgb.weight"
    assert torch.equal(one[name], again[name]) and not torch.equal(one[name], other[name])
    assert not one[name.replace("w_a", "w_b")].any(), "an adapter adds nothing before it has learned"


def test_blip2_of_transformers_gives_the_frozen_parts_and_each_modalitys_start(tmp_path: Path) -> None:
    """The truth is a BLIP-2 of the library itself, tiny, with weights drawn at random."""
    from safetensors.torch import save_file
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    vision, qformer = MODEL["size"]["vision"], MODEL["size"]["qformer"]
    torch.manual_seed(0)
    blip2 = Blip2ForConditionalGeneration(
        Blip2Config(
            vision_config={
                **{"hidden_size": vision["width"], "intermediate_size": vision["hidden"], "num_hidden_layers": 1},
                **{"num_attention_heads": 2, "image_size": MODEL["image_size"], "patch_size": vision["patch_px"]},
            },
            qformer_config={
                **{"hidden_size": qformer["width"], "num_hidden_layers": 2, "num_attention_heads": 2},
                **{"intermediate_size": qformer["hidden"], "encoder_hidden_size": vision["width"]},
            },
            text_config={**MODEL["t5"], "model_type": "t5"},
            num_query_tokens=MODEL["num_query_token"],
        )
    )
    state = {name: tensor.clone() for name, tensor in blip2.state_dict().items()}
    # As published: a head of its own, which the library's random model shares with the embeddings.
    state["language_model.lm_head.weight"] = torch.randn_like(state["language_model.lm_head.weight"])
    save_file(state, tmp_path / "model.safetensors")

    model = Crema.from_config({**MODEL, "modalities": "rgb_depth", "random_weights": False, "blip2": str(tmp_path)})

    network = model.network.eval()
    assert torch.equal(network.query_tokens_depth, blip2.query_tokens)
    assert torch.equal(network.ln_rgb.weight, blip2.vision_model.post_layernorm.weight)
    pictures = torch.randn(2, 3, MODEL["image_size"], MODEL["image_size"])
    with torch.no_grad():
        seen = blip2.eval().vision_model(pictures).last_hidden_state
        ours = network.ln_rgb(network.visual_encoder(pictures))
    torch.testing.assert_close(ours, seen, rtol=1e-4, atol=1e-4)
    for name, one in network.t5_model.named_parameters():
        assert torch.equal(one, state[f"language_model.{name}"]), name
    frozen = dict(blip2.qformer.named_parameters())
    query = network.Qformer.bert.encoder.layer[1].attention.attention.query.w.weight
    assert torch.equal(query, frozen["encoder.layer.1.attention.attention.query.weight"])


def test_lavis_files_of_blip2_and_beats_give_the_frozen_parts(tmp_path: Path) -> None:
    """The files are one model's parts under LAVIS's and BEATs' names, with what CREMA has no use for beside them."""
    source = published(Crema.from_config({**MODEL, "modalities": "rgb_audio"}))
    beats = {name.removeprefix(SOUND): one for name, one in source.items() if name.startswith(SOUND)}
    blip2 = {name: one for name, one in source.items() if name.startswith(("visual_encoder.", "t5_model."))}
    for name, tensor in source.items():
        if name.startswith("Qformer.") and ".w_" not in name:
            blip2[name.replace(".query.w.", ".query.").replace(".value.w.", ".value.")] = tensor
        elif name.startswith(("query_tokens_rgb", "t5_proj_rgb.", "ln_rgb.")):
            blip2[name.replace("ln_rgb", "ln_vision").replace("_rgb", "")] = tensor
    blip2["Qformer.bert.embeddings.word_embeddings.weight"] = torch.zeros(3, 3)
    blip2["Qformer.bert.encoder.layer.0.output.dense.weight"] = torch.zeros(3, 3)
    torch.save({"model": blip2}, tmp_path / "blip2.pth")
    torch.save(
        {"cfg": {"encoder_layers": 1}, "model": {**beats, "predictor.weight": torch.zeros(3)}}, tmp_path / "b.pt"
    )

    torch.manual_seed(1)
    files = {"blip2": str(tmp_path / "blip2.pth"), "beats": str(tmp_path / "b.pt")}
    model = Crema.from_config({**MODEL, "modalities": "rgb_audio_norm", "random_weights": False, **files})

    loaded = published(model)
    assert all(
        torch.equal(loaded[name], source[name]) for name in source if name.startswith(FROZEN) and ".w_" not in name
    )
    for name in ("rgb", "audio", "norm"):
        assert torch.equal(loaded[f"query_tokens_{name}"], source["query_tokens_rgb"])
        assert torch.equal(loaded[f"t5_proj_{name}.weight"], source["t5_proj_rgb.weight"])
    assert torch.equal(loaded["ln_norm.weight"], source["ln_rgb.weight"])
    assert [report.source for report in model.load_reports] == list(files.values())
    left = {alias_of(name) for name in loaded} - {name for report in model.load_reports for name in report.matched}
    assert left and all(".w_" in name or name.startswith(("ln_audio.", "projection_audio.")) for name in left)


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    """The system itself refuses to write more than 10 kB."""
    path = tmp_path / "adapters.safetensors"
    save_weights({"x": torch.zeros(4)}, path, {})
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(WeightsError, match="cannot be written"):
            save_weights({"x": torch.zeros(100_000)}, path, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
