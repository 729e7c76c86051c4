"""A small model with a YAML of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lavis.common.registry import registry
from lavis.models.base_model import BaseModel

YAML = """
model: {arch: tiny_model_of_tests, width: WIDTH}
preprocess:
  vis_processor:
    eval: {name: blip_image_eval, image_size: 16}
  text_processor:
    train: {name: blip_caption, prompt: "a photo of "}
    eval: {name: blip_question}
"""


class TinyModel(BaseModel):
    """A norm with frozen companions: enough kinds of parameters for every rule."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.first = torch.nn.Linear(2, width)
        self.ln_post = torch.nn.LayerNorm((2, width))  # a matrix that must not decay all the same
        self.frozen = torch.nn.Linear(2, 2)
        self.frozen.requires_grad_(False)

    @classmethod
    def from_config(cls, cfg: Any) -> TinyModel:
        return cls(width=cfg.get("width", 7))


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[type[TinyModel]]:
    """The model, registered, with the types ``base`` (width 2), ``wide`` (width 4) and ``bare`` (no preprocess)."""
    for name, width in (("base", 2), ("wide", 4)):
        (tmp_path / f"{name}.yaml").write_text(YAML.replace("WIDTH", str(width)))
    (tmp_path / "bare.yaml").write_text("model: {arch: tiny_model_of_tests}\n")
    types = {name: str(tmp_path / f"{name}.yaml") for name in ("base", "wide", "bare")}
    cls = type("TinyModel", (TinyModel,), {"PRETRAINED_MODEL_CONFIG_DICT": types | {"absent": "configs/none.yaml"}})
    registry.register_model("tiny_model_of_tests")(cls)
    yield cls
    del registry.mapping["model_name_mapping"]["tiny_model_of_tests"]
