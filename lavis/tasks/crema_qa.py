"""The tasks ``sqa3d``, ``gqa`` and ``videoqa``: a model of CREMA's kind is trained on a benchmark and answers it."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.dist_utils import is_main_process
from lavis.common.errors import ConfigError
from lavis.common.options import check_options
from lavis.common.registry import registry
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.store.entry_files import write_atomically
from lavis.tasks.base_task import BaseTask
from lavis.tasks.crema_checks import check_run, check_samples
from lavis.tasks.crema_learning import Learning
from lavis.tasks.crema_rows import STATUSES, result_row, scored
from lavis.tasks.metrics import Metric
from lavis.tasks.reference_files import REFERENCE_FILES
from lavis.tasks.results import dump_json

logger = logging.getLogger(__name__)

ADAPTERS = "adapters.safetensors"
WEIGHTS = "weights.json"


@dataclasses.dataclass(frozen=True)
class Asking:
    """How ``run`` says that answers are made; see the model's ``predict_answers``."""

    num_beams: int = 5
    max_len: int = 10
    min_len: int = 1
    length_penalty: float = -1.0
    inference_method: str = "generate"
    num_ans_candidates: int = 128
    prompt: str = ""

    @classmethod
    def from_run(cls, run: Mapping[str, Any]) -> Asking:
        """Read the keys of ``run``; a key that is not there, or null, has its default."""
        names = [field.name for field in dataclasses.fields(cls)]
        given: dict[str, Any] = {name: run.get(name) for name in names if run.get(name) is not None}
        check_options(cls, given, "run")
        return cls(**given)


class CremaTask(BaseTask):
    """Trains and asks a model, and scores it by the data set's metrics.

    A subclass sets the reference's file and the headline for it.

    Args:
        asking: how answers are made.
        metrics: names of metrics in place of the data set's, the headline first.
        reference_files: also write result files in the form of CREMA's published code.
    """

    config_keys: ClassVar[frozenset[str]] = frozenset({"metrics", "reference_files"})
    reference: ClassVar[str]

    def __init__(
        self, asking: Asking | None = None, metrics: Sequence[str] | None = None, *, reference_files: bool = False
    ) -> None:
        super().__init__()
        self.asking = asking or Asking()
        self.metric_names = None if metrics is None else tuple(metrics)
        for name in self.metric_names or ():
            registry.require("metric", name)
        self.reference_files = reference_files
        self.dataset: Any = None

    @classmethod
    def setup_task(cls, **kwargs: Any) -> CremaTask:
        """Build the task from the configuration."""
        run = kwargs["cfg"].run_cfg
        return cls(Asking.from_run(run), run.get("metrics"), reference_files=bool(run.get("reference_files")))

    def build_datasets(self, cfg: Any) -> dict[str, dict[str, Any]]:
        """Build every configured data set, and check that it gives what the model takes.

        Raises:
            ConfigError: a modality that one has and the other has not, another number of frames, or a split that is
                validated on and tested on.
        """
        check_run(cfg)
        datasets = super().build_datasets(cfg)
        for name, splits in datasets.items():
            for dataset in splits.values():
                check_samples(name, dataset, cfg.model_cfg)
        return datasets

    # -- training ------------------------------------------------------------------------------

    def before_training(self, model: Any, dataset: Any, **kwargs: Any) -> None:
        """Let the model prepare, and write what its files of weights gave to ``weights.json``."""
        _write_load_reports(model)
        super().before_training(model, dataset, **kwargs)

    def train_step(self, model: Any, samples: Any) -> Any:
        """Return the loss of a batch, or of one modality's turn at it."""
        turn = samples.get("turn")
        output = model(samples) if turn is None else model(samples, frozen=samples["frozen"], only=turn)
        return output["loss"], {"loss": output["loss"]}

    def _train_inner_loop(self, **kwargs: Any) -> dict[str, str]:
        """Train; one modality after another where ``model.task`` says ``seq``, none where all have stopped."""
        with Learning(kwargs) as learning:
            if not learning.modalities:
                return {}
            return super()._train_inner_loop(**learning.arguments) | learning.judged()

    def after_training(self, model: Any, folder: Path, **kwargs: Any) -> None:
        """Write ``adapters.safetensors``: what was trained, of every modality, by its published names."""
        from lavis.models.crema_models.checkpoints import adapters
        from lavis.models.crema_models.weight_files import save_weights

        settings = model.settings
        about = {name: str(getattr(settings, name)) for name in ("modalities", "task", "lora_rank", "num_query_token")}
        save_weights(adapters(model), folder / ADAPTERS, about)

    # -- evaluation ----------------------------------------------------------------------------

    def before_evaluation(self, model: Any, dataset: Any, **kwargs: Any) -> None:
        """Remember whose questions are answered, and write what files of weights gave to ``weights.json``.

        Raises:
            ConfigError: the data set states no questions.
        """
        if not isinstance(dataset, QuestionDataset):
            raise ConfigError(
                f"run.task: a {type(dataset).__name__} states no questions to score; evaluate one benchmark at a time."
            )
        self.dataset = dataset
        _write_load_reports(model)
        super().before_evaluation(model, dataset, **kwargs)

    def valid_step(self, model: Any, samples: Any) -> list[dict[str, Any]]:
        """Return one row a sample: its number, and the chosen option with all scores (mcqa) or a text (oeqa)."""
        numbers = samples[self.inst_id_key]
        if model.settings.downstream_task == "mcqa":
            scores = model.rank_options(samples).tolist()
            return [{self.inst_id_key: one, "scores": row} for one, row in zip(numbers, scores, strict=True)]
        texts = model.predict_answers(
            samples, answer_list=self.dataset.answer_vocabulary, **dataclasses.asdict(self.asking)
        )
        return [{self.inst_id_key: one, "text": text} for one, text in zip(numbers, texts, strict=True)]

    def after_evaluation(
        self, val_result: list[dict[str, Any]], split_name: str, epoch: Any, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Merge the ranks' rows, write ``result/<split>.json`` and score it.

        Returns:
            On rank 0 ``{metric: percent, agg_metrics: the headline's, n, answered, unparsed, failed, by_type,
            left_out}``.
        """
        folder = Path(str(registry.get_path("result_dir")))
        merged = self.save_result(val_result, str(folder), f"{split_name}_answers", remove_duplicate=self.inst_id_key)
        if not is_main_process():
            return None
        given = {int(row[self.inst_id_key]): row for row in json.loads(Path(merged).read_text(encoding="utf-8"))}
        metrics = self.metrics_for(self.dataset)
        rows = [result_row(self.dataset.question(number), given.get(number)) for number in range(len(self.dataset))]
        told, scores = scored(rows, metrics)
        plain = [
            {**row.to_json(), "scores": mine, "option_scores": given.get(number, {}).get("scores")}
            for number, (row, mine) in enumerate(zip(rows, scores, strict=True))
        ]
        write_atomically(folder / f"{split_name}.json", dump_json(plain, indent=1))
        if self.reference_files:
            name, document = REFERENCE_FILES[self.reference](rows, self.dataset, split_name, epoch)
            write_atomically(folder / name, dump_json(document))
        logger.info(
            "%s: %s; %s",
            split_name,
            ", ".join(f"{one.name} {told[one.name]:.2f}" for one in metrics),
            ", ".join(f"{told[status]} {status}" for status in STATUSES),
        )
        return told

    def metrics_for(self, dataset: QuestionDataset) -> list[Metric]:
        """Return the metrics of a data set, the headline first.

        Raises:
            ConfigError: neither ``run.metrics`` nor the data set names one.
        """
        names = self.metric_names or dataset.metrics
        if not names:
            raise ConfigError(f"{type(dataset).__name__} names no metrics; set run.metrics.")
        return [registry.require("metric", name) for name in names]


def _write_load_reports(model: Any) -> None:
    """Write what each file of weights did to a model into the run's folder, for a person to read."""
    reports = getattr(model, "load_reports", ())
    if reports and is_main_process():
        folder = Path(str(registry.get_path("output_dir")))
        write_atomically(folder / WEIGHTS, dump_json([one.to_json() for one in reports], indent=1))


@registry.register_task("sqa3d")
class SQA3DTask(CremaTask):
    """CREMA on SQA3D."""

    reference = "sqa3d"


@registry.register_task("gqa")
class GQATask(CremaTask):
    """CREMA on MUSIC-AVQA, and on other benchmarks with answers in words."""

    reference = "gqa"


@registry.register_task("videoqa")
class VideoQATask(CremaTask):
    """CREMA on NExT-QA, whose questions have options."""

    reference = "videoqa"
