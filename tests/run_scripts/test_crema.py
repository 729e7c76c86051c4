"""CREMA's scripts and configurations: each starts what it names, and runs on the project's samples."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crema_tiny import Config
from omegaconf import OmegaConf

from lavis.cli.launch import build_runner, parse_arguments
from lavis.common.registry import registry
from lavis.datasets.loaders.video import VideoLoader
from lavis.tasks.crema_checks import check_run

NAMES = ("sqa3d", "music_avqa", "nextqa", "touchqa", "thermalqa")
ROOTS = {
    "sqa3d": "SQA3D_ROOT",
    "music_avqa": "MUSICAVQA_ROOT",
    "nextqa": "NEXTQA_ROOT",
    "touchqa": "TOUCHQA_ROOT",
    "thermalqa": "THERMALQA_ROOT",
}


# Runs evaluate.py as a command does and tells what was imported for it.
SHOW_MODULES = """
import json, runpy, sys
sys.argv = ["evaluate.py", *sys.argv[1:]]
try:
    runpy.run_path("evaluate.py", run_name="__main__")
except SystemExit as done:
    assert not done.code, done.code
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ROOTS.values() and name != "NPROC"}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, **more}


def run(script: Path, *words: str, **more: str) -> str:
    done = subprocess.run(
        ["sh", str(script), *words], env=environment(**more), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def outcome(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return a run's folder and its one line of scores."""
    (job,) = folder.iterdir()
    return job, json.loads((job / "evaluate.txt").read_text())


def evaluate(config: Path, folder: Path, *options: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    words = ["--cfg-path", str(config), "--options", f"run.output_dir={folder}", "run.evaluate=true", *options]
    runner = build_runner(parse_arguments(words, ""))
    (told,) = runner.evaluate(skip_reload=True).values()
    (split,) = runner.test_splits
    return json.loads((runner.output.result / f"{split}.json").read_text()), told


# -- scripts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("kind", "program", "folder"), [("finetune", "train", "train"), ("inference", "evaluate", "eval")]
)
def test_a_script_starts_its_configuration_on_the_data_or_on_the_sample(
    name: str, kind: str, program: str, folder: str, repo_root: Path, tmp_path: Path
) -> None:
    """An interpreter that prints its words stands in for Python."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "$@"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    script = repo_root / "run_scripts" / "crema" / kind / f"{name}.sh"
    start = f"{program}.py --cfg-path projects/crema/{folder}/{name}"
    assert run(script, PYTHON=str(fake)) == f"{start}_sample.yaml\n"
    words = run(script, "--options", "run.seed=1", PYTHON=str(fake), **{ROOTS[name]: str(tmp_path)})
    assert words == f"{start}.yaml --options run.seed=1\n"
    assert "--nproc_per_node=2 " + start in run(script, PYTHON=str(fake), NPROC="2")
    assert (repo_root / f"projects/crema/{folder}/{name}.yaml").is_file()


def test_two_ranks_train_on_the_sample_and_one_evaluates_what_they_left(repo_root: Path, tmp_path: Path) -> None:
    scripts = repo_root / "run_scripts" / "crema"
    options = ["--options", f"run.output_dir={tmp_path / 'train'}", "model.task=espresso-concat-seq", "run.max_epoch=1"]
    run(scripts / "finetune" / "touchqa.sh", *options, NPROC="2")
    (job,) = (tmp_path / "train").iterdir()
    assert (job / "checkpoint_0.pth").is_file()
    adapters = job / "adapters.safetensors"

    run(
        scripts / "inference" / "touchqa.sh",
        "--options",
        f"run.output_dir={tmp_path / 'eval'}",
        f"model.mmqa_ckpt={adapters}",
        NPROC="2",
    )

    job, told = outcome(tmp_path / "eval")
    rows = json.loads((job / "result" / "val.json").read_text())
    assert told["n"] == len(rows) == len({row["question_id"] for row in rows}) == 4
    assert told["failed"] == 0
    assert (job / "result" / "val_vqa_result.json").is_file(), "the reference's file name, by an option"


# -- configurations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_evaluated(name: str, repo_root: Path, tmp_path: Path) -> None:
    rows, told = evaluate(repo_root / f"projects/crema/eval/{name}_sample.yaml", tmp_path)
    assert told["n"] == len(rows) > 0 and told["failed"] == 0
    assert 0.0 <= told["agg_metrics"] <= 100.0
    if name == "nextqa":
        assert told["answered"] == told["n"] and all(len(row["option_scores"]) == 5 for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_trained_on(name: str, repo_root: Path, tmp_path: Path) -> None:
    words = ["--cfg-path", str(repo_root / f"projects/crema/train/{name}_sample.yaml"), "--options"]
    runner = build_runner(
        parse_arguments([*words, f"run.output_dir={tmp_path}", "run.batch_size_train=4", "run.accum_grad_iters=2"], "")
    )
    runner.train()
    logged = [json.loads(line) for line in runner.output.log.read_text().splitlines()]
    assert float(logged[-1]["train_loss"]) > 0
    assert (runner.output.root / "adapters.safetensors").is_file()


@pytest.mark.parametrize(
    ("modalities", "loaders", "task", "method"),
    [
        ("rgb_depth_norm", "[frame,depth,norm]", "espresso-concat", "generate"),
        ("rgb-skip", "[video]", "train", "rank"),
        ("norm_depth_flow_rgb", "[norm,depth,flow,frame]", "espresso", "generate"),
    ],
)
def test_the_experiments_of_the_papers_tables_are_options(
    modalities: str, loaders: str, task: str, method: str, repo_root: Path, tmp_path: Path
) -> None:
    """Depth, flow and normals on SQA3D, among them what the reference advertises and cannot run."""
    options = [f"model.modalities={modalities}", f"datasets.sqa3d.data_type={loaders}", f"model.task={task}"]
    options += [f"run.inference_method={method}", "run.num_ans_candidates=4", "run.batch_size_eval=32"]
    rows, told = evaluate(repo_root / "projects/crema/eval/sqa3d_sample.yaml", tmp_path, *options)
    assert told["n"] == len(rows) == 96 and told["failed"] == 0
    if method == "rank":
        root = registry.require("sample", "sqa3d")()
        vocabulary = json.loads((root / "annotations" / "answer_vocabulary.json").read_text())
        assert {row["answer"] for row in rows} <= set(vocabulary), "ranking answers out of the data set's own"


def test_a_run_imports_no_other_model(repo_root: Path, tmp_path: Path) -> None:
    words = ["--cfg-path", "projects/crema/eval/touchqa_sample.yaml", "--options", f"run.output_dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, *words],
        cwd=repo_root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    modules = json.loads(done.stdout.splitlines()[-1])
    families = {name.split(".")[2] for name in modules if name.startswith("transformers.models.")}
    assert families <= {"auto", "blip_2", "encoder_decoder", "t5"}
    others = {name for name in modules if name.startswith("lavis.models.mexa_models.")}
    assert others <= {"lavis.models.mexa_models.answer", "lavis.models.mexa_models.answers"}, "words of an answer alone"
    assert not {"cv2", "onnxruntime", "faster_whisper", "llama_cpp"} & set(modules)


def test_five_modalities_of_music_avqa_run(repo_root: Path, tmp_path: Path) -> None:
    """The sample has picture and sound; flow, depth and normals are laid beside them, one array a frame."""
    root = tmp_path / "music"
    shutil.copytree(registry.require("sample", "musicavqa")(), root)
    for path in sorted((root / "video").iterdir()):
        n_frames, _ = VideoLoader().count(path, media_id=path.stem)
        for modality, shape in (("flow", (6, 8, 2)), ("depth", (6, 8)), ("norm", (6, 8, 3))):
            folder = root / modality / path.stem
            folder.mkdir(parents=True)
            array = np.ones(shape, dtype=np.float32)
            for number in range(n_frames):
                np.save(folder / f"{number:05d}.npy", -array / np.sqrt(3) if modality == "norm" else array)
    rows, told = evaluate(
        repo_root / "projects/crema/eval/music_avqa_sample.yaml",
        tmp_path / "out",
        f"datasets.musicavqa_mm.build_info.root={root}",
        "datasets.musicavqa_mm.build_info.generate=false",
        "datasets.musicavqa_mm.data_type=[audio,video,flow,depth,norm]",
        "model.modalities=rgb_audio_flow_depth_norm",
        "model.task=espresso-concat",
    )
    assert told["n"] == len(rows) == 9 and told["failed"] == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["train", "eval"])
def test_the_full_configurations_are_valid(
    name: str, folder: str, repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every key is read by something, and no best epoch is chosen on the test."""
    from lavis.common.config import Config as RunConfig

    monkeypatch.setenv(ROOTS[name], str(tmp_path))
    config = RunConfig(parse_arguments(["--cfg-path", str(repo_root / f"projects/crema/{folder}/{name}.yaml")], ""))
    check_run(config)
    assert not set(config.run_cfg.get("valid_splits") or []) & set(config.run_cfg.test_splits)
    (node,) = config.datasets_cfg.values()
    assert node.build_info.kwargs.n_frames == config.model_cfg.frame_num
    assert Config({}, OmegaConf.to_container(config.model_cfg)).model_cfg.arch == "crema"
