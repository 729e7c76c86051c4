"""`lavis score` as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lavis.cli.main import main
from lavis.tasks.rows import ResultRow


def row(number: int, answer: str, gold: str, **other: Any) -> dict[str, Any]:
    return {
        **ResultRow(str(number), answer, (gold,), response=f"Answer: {answer}", category="what").to_json(),
        "scores": {"exact_match": 1.0, "em_refined": 1.0},
        **other,
    }


@pytest.fixture
def result(tmp_path: Path) -> Path:
    path = tmp_path / "test.json"
    rows = [row(1, "chair", "chair"), row(2, "", "lamp", status="unparsed"), row(3, "", "bed", status="failed")]
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def tracks(tmp_path: Path) -> tuple[Path, Path]:
    """One right answer of two before the video, two after."""
    paths = []
    for name, answers in (("after", "BB"), ("before", "AB")):
        rows = [
            ResultRow(
                f"adaptation_{number}",
                letter,
                ("ketose",),
                "AB".index(letter),
                ("aldose", "ketose"),
                "adaptation",
                {"track": "adaptation", "question_type": "multiple-choice", "gold_choice": "1"},
            ).to_json()
            | {"scores": {"videommmu_strict": 0.0}}
            for number, letter in enumerate(answers)
        ]
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(rows))
        paths.append(path)
    return paths[0], paths[1]


def test_a_run_is_scored_by_its_own_metrics(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(result)]) == 0

    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "n 3, answered 1, unparsed 1, failed 1, missing 0",
        "",
        "metric            %  n  left out",
        "exact_match   33.33  3         0",
        "em_refined   100.00  3         0",
        "",
        "exact_match by group",
        "  what  33.33  3",
        "",
        "em_refined by group",
        "  what  100.00  3",
    ]
    assert printed.err == "lavis score: em_refined counts 2 empty answers as right, as its authors' code does.\n"


def test_json_has_the_shape_of_a_split_in_metrics_json(result: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "scores.json"
    assert main(["score", str(result), "--metric", "exact_match", "mmau_mexa_letter", "--json", str(out)]) == 0

    assert json.loads(out.read_text()) == {
        **{"exact_match": 33.3333, "mmau_mexa_letter": 0.0},
        **{"n": 3, "answered": 1, "unparsed": 1, "failed": 1, "missing": 0},
        "left_out": {"mmau_mexa_letter": 3},
        "by_type": {"exact_match": {"what": {"percent": 33.3333, "n": 3}}, "mmau_mexa_letter": {}},
    }


def test_a_metric_that_counts_nothing_shows_no_percent(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(result), "--metric", "nextqa_accuracy"]) == 0
    assert "nextqa_accuracy  -  0         3" in capsys.readouterr().out.splitlines()


def test_raw_scores_the_response(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(result), "--raw", "--metric", "exact_match"]) == 0
    assert "exact_match  0.00  3         0" in capsys.readouterr().out.splitlines()


def test_published_predictions_are_scored_with_their_benchmark(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth: HGA's README says C 46.26, T 50.74, D 59.33, all 49.74."""
    folder = shared_data / "nextqa"
    predictions, annotations = str(folder / "HGA-bert-ft-h256-val-example.json"), str(folder / "val.csv")
    assert main(["score", predictions, "--dataset", "nextqa", "--annotations", annotations]) == 0

    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines()]
    assert lines[0] == "n 4996, answered 4996, unparsed 0, failed 0, missing 0".split()
    assert ["nextqa_accuracy", "49.74", "4996", "0"] in lines
    for group in (["C", "46.26", "2607"], ["T", "50.74", "1612"], ["D", "59.33", "777"], ["TP", "57.41", "54"]):
        assert group in lines
    assert printed.err == ""


def test_the_mean_of_groups_is_named_as_such(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = json.loads((shared_data / "mmau" / "mmau-test-mini.json").read_text())
    for record in records[:-1]:
        record["model_prediction"] = "A"
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(records))
    assert main(["score", str(path), "--dataset", "mmau"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("n 1000, answered 999, unparsed 0, failed 1, missing 1\n")
    assert "mmau_mexa_letter by group (its score is the mean of sound, music, speech)" in out


def test_delta_knowledge_is_printed_and_written(
    tracks: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after, before = tracks
    out = tmp_path / "scores.json"
    assert main(["score", str(after), "--before", str(before), "--json", str(out)]) == 0

    assert capsys.readouterr().out.splitlines()[-2:] == ["delta knowledge", "  videommmu_strict  100.00"]
    assert json.loads(out.read_text())["delta_knowledge"] == {"videommmu_strict": 100.0}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "required: FILE"),
        (["FILE", "--metrics-that-are-none"], 2, "unrecognized"),
        (["FILE", "--metric", "exact_mach"], 1, "Did you mean 'exact_match'?"),
        (["absent.json"], 1, "absent.json: cannot be read"),
        (["FILE", "--json", "FILE"], 1, "is a file that is read"),
        (["FILE", "--before", "FILE"], 1, "has no question of the track 'adaptation'"),
        (["FILE", "--annotations", "FILE"], 1, "--annotations is for predictions"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(
    arguments: list[str], status: int, message: str, result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = result.read_bytes()
    given = [argument.replace("FILE", str(result)) for argument in arguments]
    if status == 2:
        with pytest.raises(SystemExit) as ended:
            main(["score", *given])
        assert ended.value.code == 2
    else:
        assert main(["score", *given]) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert result.read_bytes() == before


def test_rows_without_scores_need_a_metric_or_a_benchmark(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(result.read_text())
    result.write_text(json.dumps([{key: value for key, value in each.items() if key != "scores"} for each in rows]))

    assert main(["score", str(result)]) == 1
    assert "--metric NAME" in capsys.readouterr().err
    assert main(["score", str(result), "--dataset", "sqa3d"]) == 0
    assert "crema_substring" in capsys.readouterr().out


def test_scores_that_cannot_be_written_are_printed_nevertheless(
    result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(result), "--json", str(result / "below.json")]) == 1

    printed = capsys.readouterr()
    assert "exact_match   33.33  3         0" in printed.out
    assert "cannot be written" in printed.err


def test_a_terminal_of_another_encoding_shows_what_it_can(result: Path, repo_root: Path) -> None:
    result.write_text(json.dumps([row(1, "chair", "chair", category="où")]))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "lavis.cli", "score", str(result)]
    done = subprocess.run(command, cwd=repo_root, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert "o\\xf9  100.00  1" in done.stdout
    assert "Traceback" not in done.stderr


def test_scoring_imports_neither_torch_nor_a_model(result: Path, repo_root: Path) -> None:
    code = (
        f"import sys; from lavis.cli.main import main; status = main(['score', {str(result)!r}]); "
        "sys.exit(9 if {'torch', 'cv2', 'transformers', 'openai'} & set(sys.modules) else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
