"""A CREMA model that fits into a test, and a made-up benchmark whose answer lies in one modality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from lavis.datasets.datasets.base_dataset import BaseDataset
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Media, Question
from lavis.models.crema_models.crema import Crema

N_FRAMES, SIDE_PX, WIDTH, N_POINTS, N_ROWS = 2, 32, 48, 6, 32
ANSWERS = ("a", "b")

MODEL: dict[str, Any] = {
    "modalities": "rgb",
    "image_size": SIDE_PX,
    "frame_num": N_FRAMES,
    "num_query_token": 4,
    "t5_model": "bytes",
    "max_txt_len": 200,
    "lora_rank": 4,
    "lora_dropout": 0.0,
    "random_weights": True,
    "answer_num": 2,
    "size": {
        "vision": {"patch_px": 16, "width": WIDTH, "depth": 1, "heads": 2, "hidden": 64},
        "qformer": {"width": 32, "layers": 2, "heads": 2, "hidden": 64, "dropout": 0.0},
        "audio": {
            **{"patch_width": 16, "width": 32, "layers": 1, "heads": 2, "hidden": 64},
            **{"conv_kernel": 16, "conv_groups": 4},
        },
    },
    "t5": {
        **{"vocab_size": 260, "d_model": 48, "d_kv": 12, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1},
        **{"num_heads": 4, "dropout_rate": 0.0, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        **{"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
    },
}


def tiny(*, seed: int = 0, **model: Any) -> Crema:
    """Return a model; the same for the same seed.

    Frozen parts that were drawn at random, as libraries draw what will be trained, hardly let through what they read,
    and prefer no token; louder ones do.
    """
    torch.manual_seed(seed)
    built = Crema.from_config({**MODEL, **model})
    built.network.t5_model.lm_head.weight.data *= 5
    for parameter in built.network.Qformer.parameters():
        if parameter.ndim == 2 and not parameter.requires_grad:
            parameter.data *= 8
    return built


def tensors(modality: str, kind: int | None, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Return one sample's tensors of a modality: one of two kinds, or neither, with noise."""
    level = 0.0 if kind is None else (1.0, -1.0)[kind]

    def noisy(*shape: int) -> torch.Tensor:
        return level + 0.3 * torch.randn(shape, generator=generator)

    if modality == "audio":
        return {"audio": noisy(2, N_ROWS, 128)}
    if modality == "pc":
        # Which half of the features is large.
        sign = torch.cat([torch.ones(WIDTH // 2), -torch.ones(WIDTH // 2)])
        noise = 0.3 * torch.randn((N_POINTS, WIDTH), generator=generator)
        voxels = torch.randint(0, 256, (N_POINTS, 3), generator=generator)
        return {"pc_feat": level * sign + noise, "pc": voxels, "pc_mask": torch.ones(N_POINTS, dtype=torch.bool)}
    return {modality: noisy(N_FRAMES, 3, SIDE_PX, SIDE_PX)}


class MadeUp(BaseDataset, QuestionDataset):
    """Questions whose answer, "a" or "b", shows in one modality; the others are noise.

    Args:
        count: of questions.
        modalities: of a sample.
        told_by: the modality that tells the answer; None: nothing does.
        per_medium: questions on each medium.
        seed: of everything.
    """

    metrics = ("accuracy",)
    answer_vocabulary = ANSWERS

    def __init__(
        self, count: int, modalities: Sequence[str], told_by: str | None, *, per_medium: int = 1, seed: int = 0
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.annotation = [{} for _ in range(count)]
        self._add_instance_ids()
        n_media = -(-count // per_medium)
        kinds = torch.randint(0, 2, (n_media,), generator=generator).tolist()
        self.media = [
            {
                name: value
                for modality in modalities
                for name, value in tensors(modality, kind if modality == told_by else None, generator).items()
            }
            for kind in kinds
        ]
        self.of = [number // per_medium for number in range(count)]
        self.gold = [ANSWERS[kinds[medium]] for medium in self.of]

    def __len__(self) -> int:
        return len(self.annotation)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            **self.media[self.of[index]],
            **self.sample_texts(index),
            "instance_id": str(index),
            "situation": "",
            "media_key": self.media_id(index),
        }

    def sample_texts(self, index: int) -> dict[str, Any]:
        return {"qa_input": "a or b?", "qa_output": self.gold[index], "question_id": self.question_id(index)}

    def question_id(self, index: int) -> str:
        return f"q{index}"

    def media_id(self, index: int) -> str:
        return f"medium{self.of[index]}"

    def question(self, index: int) -> Question:
        return Question(
            self.question_id(index), "a or b?", Media(self.media_id(index), {}), answers=(self.gold[index],)
        )


class Config:
    """What a runner reads of a configuration."""

    def __init__(self, run: dict[str, Any], model: dict[str, Any] | None = None) -> None:
        self.run_cfg = OmegaConf.create(run)
        self.model_cfg = OmegaConf.create(model or {})

    def to_dict(self) -> dict[str, Any]:
        return {"run": OmegaConf.to_container(self.run_cfg), "model": OmegaConf.to_container(self.model_cfg)}


def run_keys(folder: Path, **run: Any) -> dict[str, Any]:
    """Return the ``run`` node of a training."""
    return {
        **{"lr_sched": "constant_lr", "init_lr": 0.01, "min_lr": 0.0, "weight_decay": 0.0, "max_epoch": 2},
        **{"batch_size_train": 8, "batch_size_eval": 16, "num_workers": 0, "seed": 1, "device": "cpu"},
        **{"train_splits": ["train"], "valid_splits": [], "test_splits": [], "output_dir": str(folder)},
        **run,
    }
