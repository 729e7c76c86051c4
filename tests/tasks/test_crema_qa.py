"""CREMA's tasks: answers to rows, rows to scores and to the reference's files, and what a run refuses to begin."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from crema_tiny import Config, MadeUp, run_keys, tiny
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError, LavisError, WeightsError
from lavis.datasets.question import Media, Question
from lavis.models.crema_models.weight_files import open_weights
from lavis.runners.runner_base import RunnerBase
from lavis.tasks.crema_checks import check_run, check_samples
from lavis.tasks.crema_qa import Asking, CremaTask, GQATask, SQA3DTask, VideoQATask
from lavis.tasks.predictions.formats import FORMATS
from lavis.tasks.reference_files import REFERENCE_FILES


class Choices(MadeUp):
    """The same questions with three options each."""

    metrics = ("nextqa_accuracy",)
    options = ("a", "b", "a dog")

    def sample_texts(self, index: int) -> dict[str, Any]:
        gold = "AB"[self.options.index(self.gold[index])]
        asked = "Which? Option A: a Option B: b Option C: a dog"
        return {"qa_input": asked, "qa_output": f"Option {gold}", "question_id": f"CW_{self.question_id(index)}"}

    def question(self, index: int) -> Question:
        return Question(
            self.question_id(index),
            "Which?",
            Media(self.media_id(index), {}),
            options=self.options,
            answers=(self.gold[index],),
            category="CW",
            tags={"gold_choice": str(self.options.index(self.gold[index]))},
        )


def evaluated(folder: Path, task: CremaTask, dataset: MadeUp, **model: Any) -> tuple[RunnerBase, dict[str, Any]]:
    run = RunnerBase(
        Config(run_keys(folder, evaluate=True, test_splits=["test"])),
        task,
        tiny(**model),
        {"x": {"test": dataset}},
        "j",
    )
    return run, run.evaluate(skip_reload=True)["test"]


def test_options_are_chosen_by_their_letters_among_those_that_there_are(tmp_path: Path) -> None:
    """Five letters are scored and three are options: a fourth is never chosen, however likely."""
    dataset = Choices(8, ["rgb"], "rgb")
    model = {"downstream_task": "mcqa", "answer_num": 5}
    task = VideoQATask(reference_files=True)
    run, told = evaluated(tmp_path, task, dataset, **model)
    rows = json.loads((run.output.result / "test.json").read_text())
    for row in rows:
        assert len(row["option_scores"]) == 5
        best = max(range(3), key=lambda number: row["option_scores"][number])
        assert (row["choice"], row["answer"], row["response"]) == (best, dataset.options[best], f"Option {'ABC'[best]}")
    right = sum(row["answer"] == gold for row, gold in zip(rows, dataset.gold, strict=True))
    assert told["agg_metrics"] == told["nextqa_accuracy"] == pytest.approx(100 * right / 8)
    assert (told["n"], told["answered"], told["unparsed"], told["failed"]) == (8, 8, 0, 0)
    document = json.loads((run.output.result / "test_epochbest.json").read_text())
    assert document[0] == {
        "qid": "CW_q0",
        "prediction": rows[0]["choice"],
        "target": dataset.options.index(dataset.gold[0]),
        "frame_idx": 0,
    }


def test_more_options_than_letters_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(LavisError, match=r"3 options, and 2 were scored: set model\.answer_num"):
        evaluated(tmp_path, VideoQATask(), Choices(2, ["rgb"], "rgb"), downstream_task="mcqa", answer_num=2)
    with pytest.raises(LavisError, match=r"0 options.*oeqa"):
        evaluated(tmp_path, VideoQATask(), MadeUp(2, ["rgb"], "rgb"), downstream_task="mcqa")


class Says:
    """A model that says what it is told to, and remembers how it was asked."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.settings = OmegaConf.create({"downstream_task": "oeqa", "task": "train"})
        self.asked: dict[str, Any] = {}

    def predict_answers(self, samples: dict[str, Any], **options: Any) -> list[str]:
        self.asked = options
        return [self.texts[int(number)] for number in samples["instance_id"]]


def rows_of(task: CremaTask, dataset: MadeUp, model: Says, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Answer all questions but the last, which no batch holds."""
    run = RunnerBase(Config(run_keys(folder)), task, torch.nn.Linear(1, 1), {}, "job")
    task.before_evaluation(model, dataset)
    samples = dataset.collater([dataset[number] for number in range(len(dataset) - 1)])
    told = task.after_evaluation(task.valid_step(model, samples), "test", "best")
    assert told is not None
    return json.loads((run.output.result / "test.json").read_text()), told


def test_what_is_said_becomes_an_answer_or_is_unparsed_and_what_is_missing_failed(tmp_path: Path) -> None:
    said = ["Option B", "A DOG", "b.", "(C)", "unanswerable", "a cat", "Option E", ""]
    dataset = Choices(len(said) + 1, ["rgb"], None)
    rows, told = rows_of(GQATask(), dataset, Says(said), tmp_path)
    assert [row["choice"] for row in rows] == [1, 2, 1, 2, None, None, None, None, None]
    assert [row["status"] for row in rows] == ["answered"] * 4 + ["unparsed"] * 4 + ["failed"]
    assert (told["n"], told["answered"], told["unparsed"], told["failed"]) == (9, 4, 4, 1)


def test_answers_in_words_are_scored_and_written_as_the_reference_does(tmp_path: Path) -> None:
    dataset = MadeUp(4, ["rgb"], None)
    said = [dataset.gold[0], "c", "unanswerable"]
    model = Says(said)
    asking = Asking(num_beams=3, max_len=7, min_len=2, length_penalty=0.5, inference_method="rank", prompt="{} now")
    rows, told = rows_of(GQATask(asking, reference_files=True), dataset, model, tmp_path)
    assert told["agg_metrics"] == told["accuracy"] == 25.0
    assert [row["answer"] for row in rows] == [said[0], "c", "", ""]
    assert model.asked == {
        **{"num_beams": 3, "max_len": 7, "min_len": 2, "length_penalty": 0.5, "inference_method": "rank"},
        **{"num_ans_candidates": 128, "prompt": "{} now", "answer_list": ("a", "b")},
    }
    document = json.loads((tmp_path / "job" / "result" / "test_vqa_result.json").read_text())
    assert document[2] == {"question_id": "q2", "pred_ans": "unanswerable", "gt_ans": dataset.gold[2]}


@pytest.mark.parametrize(("name", "task"), [("sqa3d", SQA3DTask), ("gqa", GQATask), ("videoqa", VideoQATask)])
def test_the_reference_files_are_read_back_by_the_readers_of_published_predictions(
    name: str, task: type[CremaTask], tmp_path: Path
) -> None:
    dataset = Choices(4, ["rgb"], None)
    rows_of(task(reference_files=True), dataset, Says(["Option A", "b", "a dog"]), tmp_path)
    (path,) = (
        one for one in (tmp_path / "job" / "result").iterdir() if "vqa_result" in one.name or "epoch" in one.name
    )
    document = json.loads(path.read_text())
    (form,) = (one for one in FORMATS if one.fits(document) and "crema" in one.name.lower())
    predictions = form.read(document, "here")
    assert [one.names[-1] for one in predictions] == [f"q{number}" for number in range(4)]
    assert task.reference == name and name in REFERENCE_FILES


def test_run_keys_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    run = OmegaConf.create({"num_beams": 2, "min_len": None, "prompt": "{}?", "metrics": ["accuracy"]})
    task = GQATask.setup_task(cfg=Config(dict(run)))
    assert task.asking == Asking(num_beams=2, prompt="{}?") and task.metric_names == ("accuracy",)
    samples = MadeUp(2, ["rgb"], None).collater([MadeUp(2, ["rgb"], None)[0]])
    model = tiny().eval()
    with pytest.raises(ConfigError, match=r"prompt is 'Q:'; write \{\}"):
        model.predict_answers(samples, prompt="Q:")
    with pytest.raises(ConfigError, match="inference_method is 'ranks'"):
        model.predict_answers(samples, inference_method="ranks")
    with pytest.raises(ConfigError, match="answer_vocabulary"):
        model.predict_answers(samples, inference_method="rank")


def test_ranking_keeps_to_the_candidates_whose_first_token_is_likeliest() -> None:
    data = MadeUp(3, ["rgb"], None)
    samples = data.collater([data[number] for number in range(3)])
    model = tiny().eval()
    words = ["yes", "no", "maybe", "two", "left"]
    span = model.span(samples)
    every = model.answering.rank(span, words)
    some = model.answering.rank(span, words, n_candidates=2)
    assert every.isfinite().all() and some.isfinite().sum(dim=1).tolist() == [2, 2, 2]
    assert torch.equal(some[some.isfinite()], every[some.isfinite()])
    first = model.answering.rank(span, [word[0] for word in words], n_candidates=2)
    assert torch.equal(first.isfinite(), some.isfinite())


# -- what a run refuses ---------------------------------------------------------------------------


class Reads:
    """A split that tells what it reads."""

    def __init__(self, modalities: list[str], n_frames: int = 4, **processors: Any) -> None:
        self.modalities = modalities
        self.n_frames = n_frames
        self.processors = processors


class Processor:
    n_frms, image_size = 8, 224


@pytest.mark.parametrize(
    ("dataset", "model", "message"),
    [
        (
            Reads(["frame"]),
            {"modalities": "rgb_depth"},
            r"modalities has 'depth', which datasets\.x\.data_type does not",
        ),
        (Reads(["frame", "flow"]), {"modalities": "rgb"}, r"data_type reads 'flow', which model\.modalities \(rgb\)"),
        (Reads(["frame"], 8), {"modalities": "rgb"}, r"frame_num is 4, datasets\.x\.build_info\.kwargs\.n_frames is 8"),
        (
            Reads(["frame"], frame=Processor()),
            {"modalities": "rgb"},
            r"frame_processor: n_frms is 8, model\.frame_num is",
        ),
    ],
)
def test_data_that_do_not_fit_the_model_are_named_at_the_start(
    dataset: Reads, model: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_samples("x", dataset, {"frame_num": 4, **model})


def test_data_that_fit_are_taken() -> None:
    check_samples("x", Reads(["video", "captions", "audio", "pc"]), {"frame_num": 4, "modalities": "audio_rgb-skip_pc"})


@pytest.mark.parametrize(
    ("run", "files"),
    [
        ({"valid_splits": ["test"], "test_splits": ["test"]}, {"test": "t.json"}),
        ({"valid_splits": ["val"], "test_splits": ["test"]}, {"val": "t.json", "test": ["other.json", "t.json"]}),
    ],
)
def test_the_test_is_never_what_the_best_epoch_is_chosen_on(run: dict[str, Any], files: dict[str, Any]) -> None:
    node = {"build_info": {"annotations": {name: {"storage": storage} for name, storage in files.items()}}}
    config = Config(run, {"task": "train", "modalities": "rgb"})
    config.datasets_cfg = OmegaConf.create({"x": node})  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"chosen on the test\. Set run\.valid_splits=\[\]"):
        check_run(config)
    config.run_cfg.evaluate = True
    check_run(config)


# -- what a training leaves -----------------------------------------------------------------------


def trained(folder: Path, model: Any, **run: Any) -> RunnerBase:
    data = {"train": MadeUp(16, ["rgb", "depth"], "rgb", seed=1), "val": MadeUp(8, ["rgb", "depth"], "rgb", seed=2)}
    keys = run_keys(folder, **{"valid_splits": ["val"], "save_freq": 1, **run})
    return RunnerBase(Config(keys), GQATask(Asking(inference_method="rank")), model, {"x": data}, "job")


def test_the_best_adapters_are_left_in_a_file_that_another_model_reads(tmp_path: Path) -> None:
    model = tiny(modalities="rgb_depth", task="seq-gradsel-es")
    trained(tmp_path, model).train()
    best = torch.load(tmp_path / "job" / "checkpoint_best.pth", weights_only=True)
    left = open_weights(str(tmp_path / "job" / "adapters.safetensors"))
    assert left.about["modalities"] == "rgb_depth" and left.about["lora_rank"] == "4"
    assert torch.equal(left.tensors["t5_proj_depth.weight"], best["model"]["network.t5_proj_depth.weight"])
    for name in ("adapters.safetensors", "checkpoint_best.pth"):
        other = tiny(seed=9, modalities="rgb_depth", mmqa_ckpt=str(tmp_path / "job" / name))
        for key, value in best["model"].items():
            if key.startswith("network."):
                assert torch.equal(other.get_parameter(key), value), key
    trained(tmp_path / "again", other, max_epoch=1).train()
    (report,) = json.loads((tmp_path / "again" / "job" / "weights.json").read_text())
    assert report["source"].endswith("checkpoint_best.pth")
    assert len(report["matched"]) == len(left.tensors) and not report["unexpected"]
    assert all(name.startswith(("visual_encoder", "t5_model", "Qformer")) for name in report["missing"])


def test_a_loss_that_is_no_number_ends_training_before_anything_is_learned_from_it(tmp_path: Path) -> None:
    model = tiny(modalities="rgb_depth")
    run = trained(tmp_path, model, valid_splits=[])
    run.train()
    kept = (tmp_path / "job" / "checkpoint_1.pth").read_bytes()
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    with torch.no_grad():
        model.network.t5_model.lm_head.weight[0, 0] = float("nan")
    with pytest.raises(LavisError, match=r"loss of batch 0 of epoch 1 is nan.*Lower run\.init_lr"):
        run.train_epoch(1)
    assert all(torch.equal(one, before[n]) for n, one in model.named_parameters() if one.requires_grad)
    assert (tmp_path / "job" / "checkpoint_1.pth").read_bytes() == kept


def test_a_full_disk_leaves_the_checkpoint_that_was_there(tmp_path: Path) -> None:
    """The system itself refuses to write more than 20 kB."""
    run = trained(tmp_path, tiny(modalities="rgb_depth"), max_epoch=1)
    run.train()
    path = tmp_path / "job" / "checkpoint_best.pth"
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(WeightsError, match=r"checkpoint_best\.pth cannot be written"):
            run._save_checkpoint(1, is_best=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert not [one for one in path.parent.iterdir() if one.name.startswith(".")]
