"""A plug-in in one file: model, processor, data set, builder and task of one's own, as LAVIS teaches it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lavis.common.dist_utils import main_process
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import BaseDatasetBuilder
from lavis.datasets.datasets.base_dataset import BaseDataset
from lavis.models.base_model import BaseModel
from lavis.processors.base_processor import BaseProcessor
from lavis.tasks.base_task import BaseTask

HERE = Path(__file__).parent


@registry.register_processor("toy_scale")
class ToyScaleProcessor(BaseProcessor):
    def __init__(self, factor=1.0, jitter=0.0):
        super().__init__()
        self.factor = factor
        self.jitter = jitter

    def __call__(self, item):
        point = self.factor * torch.tensor(item)
        return point + self.jitter * torch.randn_like(point)

    @classmethod
    def from_config(cls, cfg=None):
        if cfg is None:
            return cls()
        return cls(factor=cfg.get("factor", 1.0), jitter=cfg.get("jitter", 0.0))


class ToyPointsDataset(BaseDataset):
    def __getitem__(self, index):
        ann = self.annotation[index]
        return {
            "point": self.vis_processor(ann["point"]),
            "label": torch.tensor(ann["label"]),
            "caption": self.text_processor(ann["caption"]),
            "instance_id": ann["instance_id"],
        }


@registry.register_builder("toy_points")
class ToyPointsBuilder(BaseDatasetBuilder):
    train_dataset_cls = ToyPointsDataset
    eval_dataset_cls = ToyPointsDataset

    DATASET_CONFIG_DICT = {"default": str(HERE / "toy_data.yaml")}  # noqa: RUF012


@registry.register_model("toy_mlp")
class ToyMLP(BaseModel):
    PRETRAINED_MODEL_CONFIG_DICT = {"tiny": str(HERE / "toy_model.yaml")}  # noqa: RUF012

    def __init__(self, n_hidden):
        super().__init__()
        self.features = nn.Linear(2, n_hidden).requires_grad_(False)
        # The frozen part is the same wherever it is built, like downloaded weights.
        self.features.weight.normal_(generator=torch.Generator().manual_seed(0))
        self.features.bias.zero_()
        self.body = nn.Sequential(nn.Linear(n_hidden, n_hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(n_hidden, 2))

    def forward(self, samples):
        logits = self.body(self.features(samples["point"]))
        return {"loss": nn.functional.cross_entropy(logits, samples["label"])}

    def predict(self, samples):
        return self.body(self.features(samples["point"])).softmax(dim=1)

    @classmethod
    def from_config(cls, cfg):
        model = cls(n_hidden=cfg.get("n_hidden", 8))
        if cfg.get("load_finetuned", False):
            model.load_checkpoint_from_config(cfg)
        return model


@registry.register_task("toy_classify")
class ToyClassifyTask(BaseTask):
    @classmethod
    def setup_task(cls, cfg):
        return cls()

    def valid_step(self, model, samples):
        scores = model.predict(samples)
        return [
            {"instance_id": name, "guess": int(score.argmax()), "gold": int(gold)}
            for name, score, gold in zip(samples["instance_id"], scores, samples["label"], strict=True)
        ]

    def after_evaluation(self, val_result, split_name, epoch, **kwargs):
        path = self.save_result(
            val_result,
            registry.get_path("result_dir"),
            f"{split_name}_{epoch}",
            remove_duplicate="instance_id",
        )
        return self.report(path)

    @main_process
    def report(self, path):
        import json

        rows = json.loads(Path(path).read_text())
        accuracy = sum(row["guess"] == row["gold"] for row in rows) / len(rows)
        return {"agg_metrics": accuracy, "n": len(rows)}
