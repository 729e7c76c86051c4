"""The samples of the benchmarks beside SQA3D: complete, the same every time, and asked from end to end."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lavis.common.errors import WeightsError
from lavis.common.registry import registry
from lavis.datasets.check import check_benchmark
from lavis.datasets.sample.benchmarks import clips, m3d, mmau, musicavqa, nextqa, videommmu

SAMPLES = {
    "musicavqa_mm": ("musicavqa", "test", musicavqa.write, 9),
    "nextqa": ("nextqa", "val", nextqa.write, 12),
    "touchqa": ("touchqa", "val", clips.write_touch, 4),
    "thermalqa": ("thermalqa", "val", clips.write_thermal, 4),
    "videommmu": ("videommmu", "test", videommmu.write, 9),
    "mmau": ("mmau", "test_mini", mmau.write, 6),
    "m3d": ("m3d", "test", m3d.write, 10),
}
# Writes one video; how glibc fills memory that it hands out is the environment's choice.
WRITE_A_VIDEO = """
import sys
from pathlib import Path
from lavis.datasets.sample.benchmarks.pictures import glide, write_video
write_video(Path(sys.argv[1]), glide("cat", 48))
"""
# Runs every sample in one process: what is tested is the run, not how often torch can be imported.
RUN_ALL = """
import sys
from lavis.cli.launch import main
failed = []
for name in sys.argv[2:]:
    words = ["--cfg-path", f"projects/mexa/eval/{name}_sample.yaml", "--options", "model.reasoner.type=scripted",
             "model.reasoner.default=person", f"run.output_dir={sys.argv[1]}", f"run.run_id={name}"]
    failed += [name] if main(words, description="", run=lambda runner: runner.evaluate(), evaluate=True) else []
sys.exit(" ".join(failed) or 0)
"""


def built(sample: str) -> Path:
    try:
        root: Path = registry.require("sample", sample)()
    except WeightsError as error:
        pytest.skip(f"the sample's photographs cannot be had: {error}")
    return root


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_question_of_a_sample_has_something_to_look_at(name: str) -> None:
    sample, split, _, n_questions = SAMPLES[name]
    report = check_benchmark(name, built(sample), [split])[split]
    assert (report.problem, report.questions, report.served) == ("", n_questions, n_questions)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_same_every_time(name: str, tmp_path: Path) -> None:
    sample, _, write, n_questions = SAMPLES[name]
    built(sample)
    (tmp_path / "again").mkdir()
    assert write(tmp_path / "again") == n_questions
    again = {path.relative_to(tmp_path / "again"): path for path in (tmp_path / "again").rglob("*.*")}
    assert all(
        (built(sample) / name).read_bytes() == path.read_bytes() for name, path in again.items() if path.is_file()
    )


def test_a_video_holds_nothing_of_what_was_in_memory_before(tmp_path: Path) -> None:
    built("nextqa")
    for fill in ("1", "85", "170"):
        words = [sys.executable, "-c", WRITE_A_VIDEO, str(tmp_path / f"{fill}.mp4")]
        subprocess.run(words, env=os.environ | {"MALLOC_PERTURB_": fill}, check=True, timeout=120)
    assert len({path.read_bytes() for path in tmp_path.glob("*.mp4")}) == 1


def test_every_sample_is_asked_from_end_to_end(tmp_path: Path, repo_root: Path) -> None:
    names = [sample for sample, *_ in SAMPLES.values()]
    for name in names:
        built(name)
    ran = subprocess.run(
        [sys.executable, "-c", RUN_ALL, str(tmp_path), *names],
        **{"cwd": repo_root, "capture_output": True, "text": True, "timeout": 240, "check": False},
        env={**os.environ, "PYTHONPATH": str(repo_root), "PYTHONWARNINGS": "ignore"},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    for builder, (name, split, _, n_questions) in SAMPLES.items():
        scores = json.loads((tmp_path / name / "metrics.json").read_text())[split]
        assert (scores["n"], scores["failed"]) == (n_questions, 0), name
        headline = registry.require("builder", builder).eval_dataset_cls.metrics[0]
        rows = json.loads((tmp_path / name / "result" / f"{split}.json").read_text())
        assert scores[headline] == pytest.approx(
            100 * sum(row["scores"][headline] for row in rows) / n_questions, abs=1e-3
        )
        asked = {expert for row in rows for expert in row["experts"]}
        assert asked or name == "m3d", f"{name}: nobody looked"
        assert not any(row["absent"] for row in rows), name


def test_every_run_configuration_is_valid(repo_root: Path) -> None:
    import argparse

    from lavis.common.config import Config

    for path in sorted((repo_root / "projects/mexa/eval").glob("*.yaml")):
        config = Config(argparse.Namespace(cfg_path=str(path), options=[]))
        (name, node), *others = OmegaConf.to_container(config.config.datasets, resolve=True).items()
        assert not others and node["build_info"]["annotations"], path.name
        split = config.run_cfg.test_splits[0]
        assert split in node["build_info"]["annotations"], f"{path.name}: {name} has no split {split}"
