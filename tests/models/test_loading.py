"""Models by name and type, from YAMLs on this disk alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from lavis.common.errors import ConfigError, UnknownNameError, WeightsError
from lavis.common.registry import registry
from lavis.models import BaseModel, load_model, load_model_and_preprocess, load_preprocess, model_zoo
from lavis.processors import BaseProcessor

TINY = "tiny_model_of_tests"


def test_a_model_is_built_by_type_in_training_or_evaluation(tiny: Any) -> None:
    wide = load_model(TINY, "wide")
    assert isinstance(wide, BaseModel) and wide.first.out_features == 4 and wide.training
    assert not load_model(TINY, "base", is_eval=True).training


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")], ids=["text", "torch.device"])
def test_weights_on_a_cpu_are_float32(device: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that comes in half precision; LAVIS 1.0.2 converts it for the text "cpu" only."""
    build = tiny.from_config
    monkeypatch.setattr(tiny, "from_config", lambda cfg: build(cfg).half())
    assert tiny.from_pretrained("base").first.weight.dtype == torch.float16
    model = load_model(TINY, "base", device=device)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_checkpoint_is_loaded_over_the_type(tiny: Any, tmp_path: Path) -> None:
    weights = {"first.weight": torch.full((2, 2), 3.0)}
    torch.save({"model": weights, "epoch": 3}, tmp_path / "c.pth")
    model = load_model(TINY, "base", checkpoint=tmp_path / "c.pth")
    assert torch.equal(model.first.weight, weights["first.weight"])
    with pytest.raises(WeightsError, match="checkpoint url or path is invalid"):
        load_model(TINY, "base", checkpoint=str(tmp_path / "none.pth"))


def test_unknown_names_and_types_name_the_nearest(tiny: Any) -> None:
    """LAVIS: an AttributeError on None, and a bare assertion."""
    with pytest.raises(UnknownNameError, match=f"Did you mean '{TINY}'"):
        load_model("tiny_model_of_test", "base")
    with pytest.raises(ConfigError, match=r"Unknown model type 'bsae' of TinyModel\. Did you mean 'base'"):
        load_model(TINY, "bsae")
    with pytest.raises(ConfigError, match=r"configs/none\.yaml does not exist"):
        load_model(TINY, "absent")
    with pytest.raises(ConfigError, match=r"configs/none\.yaml does not exist"):
        load_model_and_preprocess(TINY, "absent")


def test_processors_come_from_the_same_yaml(tiny: Any) -> None:
    """The image processor is told 16 pixels; phases that the YAML leaves out are the identity."""
    model, vision, text = load_model_and_preprocess(TINY, "base", is_eval=True)
    assert not model.training
    assert tuple(vision["eval"](Image.new("RGB", (40, 30), "red")).shape[-2:]) == (16, 16)
    assert type(vision["train"]) is BaseProcessor and vision["train"]("x") == "x"
    assert text["train"]("A dog.").startswith("a photo of ")
    assert text["eval"]("Where is it ?") != text["train"]("Where is it ?")


def test_a_yaml_without_preprocess_leaves_everything_as_it_is(tiny: Any) -> None:
    """LAVIS: ConfigAttributeError."""
    _, vision, text = load_model_and_preprocess(TINY, "bare")
    for processors in (vision, text):
        assert set(processors) == {"train", "eval"}
        assert all(processor("as it is") == "as it is" for processor in processors.values())


def test_a_processor_that_is_not_named_or_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"preprocess\.vis_processor\.eval\.name is missing"):
        load_preprocess(OmegaConf.create({"vis_processor": {"eval": {"image_size": 3}}}))
    with pytest.raises(UnknownNameError, match="blip_question"):
        load_preprocess(OmegaConf.create({"text_processor": {"eval": {"name": "blip_qestion"}}}))
    vision, text = load_preprocess(None)
    assert set(vision) == set(text) == {"train", "eval"}


def test_the_zoo_sees_models_that_were_registered_later(request: pytest.FixtureRequest) -> None:
    """LAVIS builds it once, at import."""
    before = len(model_zoo)
    assert TINY not in dict(model_zoo)
    request.getfixturevalue("tiny")
    assert dict(model_zoo)[TINY] == ["base", "wide", "bare", "absent"]
    assert len(model_zoo) == before + 4
    assert [name for name, _ in model_zoo] == registry.list_models()
    row = next(line for line in str(model_zoo).splitlines() if line.startswith(TINY))
    assert row.split(maxsplit=1)[1] == "base, wide, bare, absent"


def test_the_door_names_what_it_does_not_have() -> None:
    import lavis.models

    with pytest.raises(AttributeError, match="load_modle"):
        _ = lavis.models.load_modle
