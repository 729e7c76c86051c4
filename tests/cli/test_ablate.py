"""`lavis ablate` as a user runs it: real media and experts, a scripted reasoner; killed; on two ranks; read again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqa3d_runs import CONFIG, ROOT, environment, options, wait_until, write_root

from lavis.cli.main import main
from lavis.common.errors import WeightsError
from lavis.datasets.sample import build_sample
from lavis.experts.base import Expert

ROWS = ["--none", "--rows", "first choice: model.reasoner.mode=first_choice"]
ROW_RUNS = ("full", "none", "first-choice")


def table(folder: Path) -> dict[str, Any]:
    """Return table.json without what depends on times."""
    document: dict[str, Any] = json.loads((folder / "table.json").read_text())
    document.pop("timing")
    return document


def command(output_dir: Path, *more: str, launcher: tuple[str, ...] = ("-m",)) -> list[str]:
    words = options(output_dir, "abl", *more)
    return [sys.executable, *launcher, "lavis.cli", "ablate", *ROWS, "--cfg-path", CONFIG, "--options", *words]


def run(words: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("sqa3d") / "root")


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("undisturbed")
    done = run(command(base), environment(root, base / "cache"))
    assert done.returncode == 0, done.stderr
    (base / "stdout").write_text(done.stdout)
    return base


# -- real media ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample_ablation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str, str]]]:
    """All rows over four experts on rendered rooms: where they lie, and every look that was made."""
    try:
        build_sample()
    except WeightsError as error:
        pytest.skip(f"the sample's photographs cannot be had: {error}")
    base = tmp_path_factory.mktemp("sample")
    looks: list[tuple[str, str, str]] = []
    look = Expert.look

    def watched(self: Expert, question: Any, reader: Any, **limits: Any) -> Any:
        side = repr([question.media.side.get(need) for need in self.card.needs])
        looks.append((self.card.name, question.media.media_id, side))
        return look(self, question, reader, **limits)

    words = ["ablate", "--all", "--cfg-path", "projects/mexa/eval/sqa3d_sample.yaml", "--options"]
    words += ["model.reasoner.type=scripted", "model.reasoner.mode=hash_choice", "model.selector.type=all"]
    words += ["model.experts=[scene3d,depth,flow,normals]", f"run.evidence_dir={base / 'kept'}"]
    words += [f"run.output_dir={base}", "run.run_id=abl", "run.limit=12", "run.spread=true"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Expert, "look", watched)
        patch.chdir(ROOT)
        assert main(words) == 0
    return base, looks


def test_every_expert_looks_at_each_medium_once_over_the_whole_ablation(
    sample_ablation: tuple[Path, list[tuple[str, str, str]]],
) -> None:
    """Truth: depth, flow and normals depend on the medium alone, scene3d on the pose too."""
    base, looks = sample_ablation
    (found,) = table(base / "abl")["tables"]
    assert [row["name"] for row in found["rows"]] == [
        *("full", "no evidence", "without scene3d", "without depth", "without flow", "without normals"),
        *("only scene3d", "only depth", "only flow", "only normals"),
    ]
    assert max(Counter(looks).values()) == 1
    rows = json.loads((base / "abl.full" / "result" / "test.json").read_text())
    n_media = len({row["media_id"] for row in rows})
    assert n_media > 2
    assert {name: sum(one[0] == name for one in looks) for name in ("depth", "flow", "normals")} == dict.fromkeys(
        ("depth", "flow", "normals"), n_media
    )
    by_name = {row["name"]: row for row in found["rows"]}
    assert by_name["full"]["looks"] == by_name["full"]["new_looks"] == len(looks)
    assert by_name["without depth"]["looks"] == len(looks) - n_media
    assert by_name["only flow"]["looks"] == n_media
    assert by_name["no evidence"]["looks"] == 0
    assert all(row["new_looks"] == 0 for row in found["rows"][1:])


def test_all_rows_answer_the_same_questions_and_score_what_their_runs_say(
    sample_ablation: tuple[Path, list[tuple[str, str, str]]],
) -> None:
    base, _ = sample_ablation
    (found,) = table(base / "abl")["tables"]
    ids = set()
    for row in found["rows"]:
        folder = base / row["run_id"]
        metrics = json.loads((folder / "metrics.json").read_text())["test"]
        assert row["percent"] == pytest.approx(metrics["exact_match"], abs=1e-4)
        assert (row["n"], row["answered"], row["failed"]) == (12, 12, 0)
        assert row["usage"]["calls"] == 12
        assert row["usage"]["input_tokens"] == metrics["usage"]["aggregator"]["input_tokens"]
        ids.add(tuple(one["question_id"] for one in json.loads((folder / "result" / "test.json").read_text())))
    assert len(ids) == 1
    log = (base / "abl.full" / "log.txt").read_text()
    assert "abl.none" not in log


# -- killed, resumed, on two ranks -----------------------------------------------------------------


def test_killed_in_its_second_row_it_goes_on_to_the_same_table(root: Path, undisturbed: Path, tmp_path: Path) -> None:
    env = environment(root, tmp_path / "cache")
    process = subprocess.Popen(
        command(tmp_path, "model.reasoner.latency_s=0.1"), cwd=ROOT, env=env, stderr=subprocess.DEVNULL, text=True
    )
    journal = tmp_path / "abl.none" / "answers" / "rank0.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 5, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = (tmp_path / "abl.full" / "answers" / "rank0.jsonl").read_bytes()
    kept = journal.read_bytes()
    assert not (tmp_path / "abl.none" / "metrics.json").exists()
    assert not (tmp_path / "abl" / "table.json").exists()

    done = run(command(tmp_path), env)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "abl.full" / "answers" / "rank0.jsonl").read_bytes() == finished
    lines = journal.read_bytes()
    assert lines.startswith(kept[: kept.rindex(b"\n") + 1])
    assert lines.count(b"\n") == 30
    assert table(tmp_path / "abl") == table(undisturbed / "abl")


def test_two_ranks_give_the_same_table_once(root: Path, undisturbed: Path, tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
    done = run(command(tmp_path, launcher=launcher), environment(root, tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    for name in ROW_RUNS:
        assert len(list((tmp_path / f"abl.{name}" / "answers").glob("rank*.jsonl"))) == 2
    assert table(tmp_path / "abl") == table(undisturbed / "abl")
    assert done.stdout.count("split test") == 1


def test_a_spent_budget_stops_it_and_a_higher_one_goes_on(
    root: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth: a row of 30 questions takes 4,440 tokens; the budget is each row's."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SQA3D_ROOT", str(root))
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    _, _, _, *words = command(tmp_path)
    assert main([*words, "run.budget={max_tokens: 2000}"]) == 75
    assert "The whole ablation goes on with run.run_id=abl." in capsys.readouterr().err
    assert 0 < (tmp_path / "abl.full" / "answers" / "rank0.jsonl").read_bytes().count(b"\n") < 30
    assert main([*words, "run.budget={max_tokens: 6000}"]) == 0
    assert table(tmp_path / "abl") == table(undisturbed / "abl")


def test_a_wrong_row_or_metric_ends_it_before_anything_is_asked(root: Path, tmp_path: Path) -> None:
    env = environment(root, tmp_path / "cache")
    wrong_row = run([*command(tmp_path)[:5], "x: model.reasoner.mood=1", *command(tmp_path)[5:]], env)
    assert wrong_row.returncode == 2
    wrong_metric = run([*command(tmp_path)[:4], "--metric", "exact_macth", *command(tmp_path)[4:]], env)
    assert (wrong_metric.returncode, "exact_match" in wrong_metric.stderr) == (2, True)
    assert not list(tmp_path.glob("abl*"))


# -- reading ---------------------------------------------------------------------------------------


def read(undisturbed: Path, *words: str) -> int:
    return main(["ablate", "--read", *(str(undisturbed / f"abl.{name}") for name in ROW_RUNS), *words])


def test_reading_the_runs_again_gives_the_same_numbers(undisturbed: Path, tmp_path: Path) -> None:
    assert read(undisturbed, "--output", str(tmp_path)) == 0
    (again,), (first,) = table(tmp_path)["tables"], table(undisturbed / "abl")["tables"]
    assert [row.pop("name") for row in again["rows"]] == [f"abl.{name}" for name in ROW_RUNS]
    assert [row.pop("name") for row in first["rows"]] == ["full", "no evidence", "first choice"]
    assert again["rows"] == first["rows"]
    assert (tmp_path / "table.md").read_text().count("\n| ") == 5  # head, dashes and three rows


@pytest.mark.parametrize("metric", ["official_llm", "em_refined", "mexa_em"])
def test_another_metric_scores_as_the_run_does(undisturbed: Path, tmp_path: Path, metric: str) -> None:
    """official_llm counts equal questions once, which the units must too."""
    assert read(undisturbed, "--output", str(tmp_path), "--metric", metric, "--clusters", "questions") == 0
    (found,) = table(tmp_path)["tables"]
    for row, name in zip(found["rows"], ROW_RUNS, strict=True):
        metrics = json.loads((undisturbed / f"abl.{name}" / "metrics.json").read_text())
        assert row["percent"] == pytest.approx(metrics["test"][metric], abs=1e-4)
    assert found["statistics"]["n_clusters"] == 30
    assert found["rows"][1]["against_first"]["p_by_media"] is None


def test_no_score_is_printed_without_its_rule_and_its_failures(undisturbed: Path) -> None:
    lines = (undisturbed / "stdout").read_text().splitlines()
    assert "exact_match % [95 %]" in lines[1]
    assert "answered/unparsed/failed" in lines[1]
    assert all("30/0/0" in line for line in lines[2:5])


def test_runs_on_other_questions_are_refused_by_name(
    root: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shorter = tmp_path / "shorter"
    (shorter / "result").mkdir(parents=True)
    (shorter / "answers").symlink_to(undisturbed / "abl.full" / "answers")
    (shorter / "metrics.json").write_bytes((undisturbed / "abl.full" / "metrics.json").read_bytes())
    rows = json.loads((undisturbed / "abl.full" / "result" / "test.json").read_text())
    (shorter / "result" / "test.json").write_text(json.dumps(rows[:-2]))

    assert main(["ablate", "--read", str(undisturbed / "abl.full"), str(shorter)]) == 2
    assert "2 questions of" in (said := capsys.readouterr().err)
    assert "4004, 4005" in said

    rows[3]["gold"] = ["something else"]
    (shorter / "result" / "test.json").write_text(json.dumps(rows))
    assert main(["ablate", "--read", str(undisturbed / "abl.full"), str(shorter)]) == 2
    assert "question '3' has another gold" in capsys.readouterr().err

    rows[3]["gold"] = json.loads((undisturbed / "abl.full" / "result" / "test.json").read_text())[3]["gold"]
    (shorter / "result" / "test.json").write_text(json.dumps(rows[::-1]))
    assert main(["ablate", "--read", str(undisturbed / "abl.full"), str(shorter)]) == 0
    assert "0/0  1.0000" in capsys.readouterr().out  # another order is no other answer


def test_an_unfinished_run_is_refused(undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "begun").mkdir()
    assert main(["ablate", "--read", str(undisturbed / "abl.full"), str(tmp_path / "begun")]) == 2
    assert "is not finished" in capsys.readouterr().err
    assert main(["ablate", "--read", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_reading_takes_no_rows_to_run(undisturbed: Path) -> None:
    with pytest.raises(SystemExit):
        read(undisturbed, "--none")
