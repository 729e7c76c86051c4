"""The reference's outputs at a tiny size: configuration, weights and inputs from seeds, and how it prints arrays."""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lavis.models.crema_models.beats import BeatsSize
from lavis.models.crema_models.language import Tokens, Vocabulary
from lavis.models.crema_models.modalities import read_modalities
from lavis.models.crema_models.network import CremaNetwork, Wiring
from lavis.models.crema_models.points import position_table
from lavis.models.crema_models.published_names import alias_of, from_published, is_dead, to_published
from lavis.models.crema_models.qformer import QFormerSize
from lavis.models.crema_models.sizes import CremaSize
from lavis.models.crema_models.t5 import build_t5
from lavis.models.crema_models.vision import VisionSize

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "golden" / "crema"
SCALE = np.float32(0.02)


def needs_golden() -> None:
    """Skip a test, and say so, where the reference's outputs are not there."""
    if not (FOLDER / "meta.json").is_file():
        pytest.skip(f"the reference's outputs are not in {FOLDER}")


@functools.lru_cache(maxsize=1)
def meta() -> dict[str, Any]:
    """Return what is known of the cases."""
    needs_golden()
    found: dict[str, Any] = json.loads((FOLDER / "meta.json").read_text())
    return found


@functools.lru_cache(maxsize=1)
def arrays() -> Mapping[str, Any]:
    """Return the arrays by name."""
    needs_golden()
    with np.load(FOLDER / "golden.npz", allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def keys(case: str) -> dict[str, dict[str, Any]]:
    """Return the published state dict of a case: name to shape, dtype, alias."""
    needs_golden()
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / f"keys_{case}.json").read_text())["keys"]
    return found


def drawn(name: str, shape: Sequence[int]) -> np.ndarray:
    """Return the standard normal numbers that a name seeds."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return generator.standard_normal(tuple(shape)).astype(np.float32)


def published_state(case: str) -> dict[str, torch.Tensor]:
    """Return the seeded state dict of a case under its published names."""
    state = {}
    for name, about in keys(case).items():
        if about["dtype"] != "float32":
            state[name] = torch.arange(about["shape"][-1]).reshape(about["shape"])
            continue
        state[name] = _weight(about["alias_of"] or name, tuple(about["shape"]))
    return state


@functools.cache
def _weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a seeded weight, drawn once for all cases; nobody may change it."""
    values = drawn(name, shape) * SCALE
    if (name.endswith(".weight") and len(shape) == 1) or name.endswith("weight_g"):
        values = values + np.float32(1.0)
    return torch.from_numpy(values)


class TableVocabulary(Vocabulary):
    """Spells the texts that the cases use by a table."""

    def __init__(self, tokens: str) -> None:
        self.table = dict(meta()["tokens_default"])
        if tokens != "default":
            self.table |= meta()[f"tokens_{tokens}"]

    def spell(self, texts: Sequence[str], *, ends: bool = True) -> Tokens:
        rows = [[*self.table[text], *([1] if ends else [])] for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return Tokens(ids, mask)

    def read(self, ids: torch.Tensor) -> list[str]:
        return [" ".join(str(token) for token in row.tolist() if token > 1) for row in ids]


def size() -> CremaSize:
    """Return the cases' size of everything but the language model."""
    config = meta()["config"]
    vit, bert, beats = config["VIT"], config["BERT"], config["BEATS"]
    return CremaSize(
        vision=VisionSize(
            image_px=vit["img_size"],
            patch_px=vit["patch_size"],
            width=vit["embed_dim"],
            depth=vit["depth"],
            heads=vit["num_heads"],
            hidden=round(vit["embed_dim"] * vit["mlp_ratio"]),
        ),
        qformer=QFormerSize(
            width=bert["hidden_size"],
            layers=bert["num_hidden_layers"],
            heads=bert["num_attention_heads"],
            hidden=bert["intermediate_size"],
        ),
        audio=BeatsSize(layers=beats["encoder_layers"], hidden=beats["encoder_ffn_embed_dim"]),
        n_query_tokens=config["NQ"],
    )


def network(case: str, *, quirks: bool = True) -> CremaNetwork:
    """Return the network of a case with its weights, evaluating."""
    about = meta()["cases"][case]
    task = about["task"]
    with torch.device("meta"):  # random weights that are replaced at once would take most of the time
        built = CremaNetwork(
            modalities=read_modalities(about["modalities"]),
            size=size(),
            t5=build_t5(meta()["config"]["T5"]),
            vocabulary=TableVocabulary(about["tokens"]),
            wiring=Wiring(
                n_frames=about["frame_num"],
                espresso="espresso" in task,
                appended="concat" in task,
                rgb_layout=about["rgb_layout"],
                quirks=quirks,
            ),
            rank=meta()["config"]["lora_rank"],
        )
    state = {from_published(name): value for name, value in published_state(case).items() if not is_dead(name)}
    trained = {name for name, parameter in built.named_parameters() if parameter.requires_grad}
    built.load_state_dict(state, strict=True, assign=True)
    for name, parameter in built.named_parameters():
        parameter.requires_grad_(name in trained)
    if "pc" in about["modalities"]:
        built.point_positions = position_table(1408)
    return built.eval()


def samples(case: str, batch: int) -> dict[str, Any]:
    """Return the inputs of a case: pictures, sound, points and words."""
    about = meta()["cases"][case]
    n_frames, side = about["frame_num"], about["img_size"]
    found: dict[str, Any] = {
        "qa_input": ["Q0", "Q1"][:batch],
        "qa_output": ["A0", "A1"][:batch],
        "question_id": ["0", "1"][:batch],
    }
    for modality in read_modalities(about["modalities"]):
        name = modality.name
        if modality.is_pictures:
            clip = torch.from_numpy(drawn(f"input:{name}", (2, n_frames, 3, side, side)))[:batch]
            if name == "rgb":
                found[name] = clip if about["rgb_layout"] == "frame" else clip.transpose(1, 2)
            else:
                found[name] = clip.transpose(1, 2)
        elif name == "audio":
            found["audio"] = torch.from_numpy(drawn("input:audio", (2, 2, 512, 128)))[:batch]
        else:
            found["pc_feat"] = torch.from_numpy(drawn("input:pc_feat", (2, 64, 1408)))[:batch]
            generator = np.random.default_rng(zlib.crc32(b"input:pc"))
            found["pc"] = torch.from_numpy(generator.integers(0, 256, size=(2, 64, 3)))[:batch]
    return found


def fingerprint(tensor: torch.Tensor) -> np.ndarray:
    """Return mean, deviation, norm, the first 64 numbers and 64 spread ones, as the reference's outputs are kept."""
    flat = tensor.detach().to(torch.float64).flatten().numpy()
    spread = np.linspace(0, flat.size - 1, 64).astype(np.int64)
    head = np.zeros(64)
    head[: min(64, flat.size)] = flat[:64]
    numbers = [flat.mean(), flat.std(), np.linalg.norm(flat)]
    return np.concatenate([numbers, head, flat[spread]]).astype(np.float32)


__all__ = [
    "TableVocabulary",
    "alias_of",
    "arrays",
    "fingerprint",
    "keys",
    "meta",
    "needs_golden",
    "network",
    "published_state",
    "samples",
    "to_published",
]
