"""`lavis precompute` ahead of a run: whose evidence it makes, and that a run then opens no medium."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqa3d_runs import CONFIG, N_SCENES, SCENE_QUESTIONS, options, server_options, write_root

from lavis.cli import launch
from lavis.cli.main import main
from lavis.common.errors import ConfigError, RunStoppedError
from lavis.experts.captions import CaptionsExpert
from lavis.runners.precompute import Precompute, without_reasoner
from lavis.runners.runner_qa import RunnerQA
from lavis.store import EvidenceShards

N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
# Nothing listens there: whoever asked a server would fail.
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo_root: Path) -> Path:
    monkeypatch.chdir(repo_root)
    monkeypatch.setenv("SQA3D_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    return write_root(tmp_path / "root")


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The media that the expert looked at, as the real expert does it."""
    seen: list[str] = []
    look = CaptionsExpert.look

    def watched(self: CaptionsExpert, question: object, reader: object, **limits: object) -> object:
        seen.append(question.media.media_id)  # type: ignore[attr-defined]
        return look(self, question, reader, **limits)  # type: ignore[arg-type]

    monkeypatch.setattr(CaptionsExpert, "look", watched)
    return seen


def arguments(opts: list[str], *words: str) -> list[str]:
    return [*words, "--cfg-path", CONFIG, "--options", *opts]


@pytest.fixture
def built(tmp_path: Path) -> Iterator[RunnerQA]:
    opts = argparse.Namespace(cfg_path=CONFIG, options=[*options(tmp_path, "one"), "run.evaluate=true"])
    runner = launch.build_runner(opts, change=without_reasoner)
    yield runner
    runner.model.close()


def answered(output_dir: Path, run_id: str, *more: str) -> bytes:
    """Run to the end in this process and return the rows."""
    status = launch.main(
        arguments(options(output_dir, run_id, *more)),
        description="",
        run=lambda runner: runner.evaluate(),
        evaluate=True,
    )
    assert status == 0
    return (output_dir / run_id / "result" / "test.json").read_bytes()


def test_a_run_after_it_looks_at_nothing_and_it_looks_at_nothing_twice(tmp_path: Path, looked: list[str]) -> None:
    asking = server_options(tmp_path, "one", NOWHERE)
    assert main(arguments(asking, "precompute", "--question-aware")) == 0
    assert len(looked) == N_QUESTIONS
    assert main(arguments(asking, "precompute", "--question-aware")) == 0
    rows = json.loads(answered(tmp_path, "one"))
    assert len(looked) == N_QUESTIONS
    assert [row["experts"] for row in rows] == [["captions"]] * N_QUESTIONS


def test_what_depends_on_a_question_s_words_is_left_out_unless_asked_for(tmp_path: Path, looked: list[str]) -> None:
    assert main(arguments(options(tmp_path, "one"), "precompute")) == 0
    assert looked == []


def test_shards_carry_the_evidence_to_a_machine_without_the_media(
    tmp_path: Path, root: Path, looked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Over there the file of texts is another one, of another time, with nothing about any scene in it."""
    undisturbed = answered(tmp_path, "here")
    shards = tmp_path / "shards"
    opts = options(tmp_path, "here")
    assert main(arguments(opts, "precompute", "--question-aware", f"--shards={shards}")) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if line.endswith(".tar")]
    assert printed == [str(shards / "test-rank0of1-000000.tar")]
    assert len(EvidenceShards(shards)) == N_QUESTIONS

    shutil.rmtree(tmp_path / "cache")
    texts = root / "nr3d_captions_by_scene.json"
    texts.write_text("{}")
    os.utime(texts, (1, 1))
    looked.clear()
    carried = answered(tmp_path, "there", f"run.evidence_shards={shards}", "run.missing_media=error")
    assert carried == undisturbed
    assert looked == []


def test_a_run_that_names_a_folder_without_shards_says_what_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opts = options(tmp_path, "one", f"run.evidence_shards={tmp_path}")
    run = launch.main(arguments(opts), description="", run=lambda runner: runner.evaluate(), evaluate=True)
    assert run == launch.NOT_POSSIBLE
    assert "holds no .tar file; lavis precompute --shards" in capsys.readouterr().err


def test_ranks_share_the_media_and_their_shards_together_hold_everything(
    tmp_path: Path, built: RunnerQA, looked: list[str]
) -> None:
    built.world_size = 2
    of_rank = []
    for rank in (0, 1):
        looked.clear()
        built.rank = rank
        work = Precompute(built, question_aware=True)
        (shard,) = work.run(tmp_path / "shards")
        assert shard.name == f"test-rank{rank}of2-000000.tar"
        assert work.looked == len(looked)
        of_rank.append(set(looked))
    assert len(of_rank[0] | of_rank[1]) == N_SCENES
    assert of_rank[0] & of_rank[1] == set()
    assert len(EvidenceShards(tmp_path / "shards")) == N_QUESTIONS


def test_asked_to_stop_it_can_be_started_again(built: RunnerQA, tmp_path: Path, looked: list[str]) -> None:
    work = Precompute(built, question_aware=True)
    work.stopping.set()
    with pytest.raises(RunStoppedError, match="start again"):
        work.run(tmp_path / "shards")
    assert not (tmp_path / "shards").exists()
    Precompute(built, question_aware=True).run(tmp_path / "shards")
    assert len(looked) == N_QUESTIONS


def test_media_that_cannot_be_read_are_counted_by_reason(tmp_path: Path, root: Path, built: RunnerQA) -> None:
    """The configuration records absences; each question's reason names it."""
    texts = json.loads((root / "nr3d_captions_by_scene.json").read_text())
    texts.pop("scene0002_00")
    (root / "nr3d_captions_by_scene.json").write_text(json.dumps(texts))
    work = Precompute(built, question_aware=True)
    work.run(tmp_path / "shards")
    assert sum(work.failures.values()) == SCENE_QUESTIONS
    assert all("scene0002_00" in reason for reason in work.failures)
    assert len(EvidenceShards(tmp_path / "shards")) == N_QUESTIONS - SCENE_QUESTIONS
    with pytest.raises(ConfigError):
        EvidenceShards(tmp_path / "elsewhere")


def test_shards_that_another_number_of_ranks_left_do_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for left in ("test-rank1of2-000000.tar", "test-rank0of1-000007.tar", "val-rank0of2-000000.tar"):
        (folder / left).write_bytes(b"")
    words = arguments(options(tmp_path, "one"), "precompute", "--question-aware", "--shards", str(folder))
    assert main(words) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["test-rank0of1-000000.tar", "val-rank0of2-000000.tar"]
