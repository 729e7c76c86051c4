"""The task: what is scored, counted and written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from lavis.common.errors import ConfigError, UnknownNameError
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Media, Question
from lavis.models.mexa_models.answer import Answer, Selection
from lavis.reasoners.base import Completion, Usage
from lavis.tasks.mexa_qa import MexaQATask

MEDIA = Media("scene", {})
NOBODY = Selection((), "none", usage=Usage(7, 1))


class TwoQuestions(QuestionDataset):
    metrics = ("exact_match", "em_refined")

    def __len__(self) -> int:
        return 3

    def question(self, index: int) -> Question:
        return Question(str(index), "What is it?", MEDIA, answers=("lamp",))

    def media_id(self, index: int) -> str:
        return "scene"

    def question_id(self, index: int) -> str:
        return str(index)


def said(text: str, status: str = "answered", *, usd: float | None = 0.5, attempts: int = 1) -> Answer:
    completion = Completion(text, Usage(100, 10, 90, usd), "model", 1.5, attempts=attempts)
    answer = text if status == "answered" else ""
    return Answer(answer, status, NOBODY, (), completion)  # type: ignore[arg-type]


ANSWERS = [said("Lamp"), said("hard to say", "unparsed"), Answer("", "failed", NOBODY, (), None, error="server gone")]


def test_every_question_counts_and_failures_carry_their_reason(tmp_path: Path) -> None:
    data = TwoQuestions()
    metrics = MexaQATask().write_results(tmp_path / "r.json", zip(data.questions(), ANSWERS, strict=True), data)
    assert metrics["exact_match"] == pytest.approx(100 / 3, abs=1e-3)
    assert metrics["em_refined"] == 100.0, "the published rule counts an empty answer as contained"
    assert (metrics["n"], metrics["answered"], metrics["unparsed"], metrics["failed"]) == (3, 1, 1, 1)
    assert metrics["failures"] == {"server gone": 1}
    aggregator = {"calls": 2, "input_tokens": 200, "output_tokens": 20, "usd": 1.0}
    assert metrics["usage"]["aggregator"] == {**aggregator, "by_model": {"model": aggregator}}
    assert metrics["usage"]["selector"]["calls"] == 3
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [(row["answer"], row["status"], row["scores"]["exact_match"]) for row in rows] == [
        ("Lamp", "answered", 1.0),
        ("", "unparsed", 0.0),
        ("", "failed", 0.0),
    ]


def test_results_do_not_hold_what_depends_on_time_or_luck(tmp_path: Path) -> None:
    data = TwoQuestions()
    again = [said("Lamp", attempts=4), *ANSWERS[1:]]
    for name, answers in (("one", ANSWERS), ("two", again)):
        MexaQATask().write_results(tmp_path / name, zip(data.questions(), answers, strict=True), data)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert "latency" not in (tmp_path / "one").read_text()


def test_no_question_gives_an_empty_list(tmp_path: Path) -> None:
    metrics = MexaQATask().write_results(tmp_path / "r.json", iter(()), TwoQuestions())
    assert json.loads((tmp_path / "r.json").read_text()) == []
    assert (metrics["n"], metrics["exact_match"]) == (0, 0.0)


def test_an_unknown_metric_is_named_with_its_neighbour_before_anything_runs() -> None:
    with pytest.raises(UnknownNameError, match="'exact_match'"):
        MexaQATask(metrics=["exact_mach"])


def test_the_configuration_s_metrics_win_over_the_data_set_s() -> None:
    cfg = argparse.Namespace(run_cfg={"metrics": ["mexa_em"]})
    assert [one.name for one in MexaQATask.setup_task(cfg=cfg).metrics_for(TwoQuestions())] == ["mexa_em"]


def test_a_data_set_without_metrics_needs_some_in_the_configuration() -> None:
    data = TwoQuestions()
    data.metrics = ()
    with pytest.raises(ConfigError, match=r"run\.metrics"):
        MexaQATask().metrics_for(data)
