"""What evidence is worth to one reasoner: captions on NExT-QA, people's texts on SQA3D, experts on the samples.

    python benchmarks/evidence_value.py [nextqa] [sqa3d] [samples] [--model qwen2.5-coder-1.5b]

Each part is one `lavis ablate`: a table with intervals and tests. NExT-QA's and SQA3D's files are read where they
are (--data). A part that was stopped goes on when it is started again with the same words.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from runs import ROOT

DATA = ROOT.parent / "shared" / "data"
CAPTIONS = "nextqa_allcaps_1fps.zip"
EVAL = "projects/mexa/eval"


def main() -> None:
    """Run the parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds nextqa/ and sqa3d/")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", help="an embedded model")
    parser.add_argument(
        "--videos", type=int, default=30, help="of NExT-QA's validation split, with all their questions"
    )
    parser.add_argument("--questions", type=int, default=200, help="of SQA3D's test split, spread evenly")
    parser.add_argument("--samples", nargs="*", metavar="NAME", help="default: every <name>_sample.yaml")
    parser.add_argument("--limit", type=int, help="at most so many questions of NExT-QA and of each sample")
    parser.add_argument("--seed", type=int, default=17, help="of the choice of videos")
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "evidence_value", help="for runs and tables")
    parser.add_argument("--options", nargs="*", default=[], help="further options of every run")
    arguments = parser.parse_args()
    arguments.data, arguments.output = arguments.data.resolve(), arguments.output.resolve()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there: {', '.join(PARTS)}")
    failed = [name for name in arguments.parts or PARTS if not PARTS[name](arguments)]
    if failed:
        raise SystemExit(f"not or not wholly measured: {', '.join(failed)}")


def nextqa(arguments: argparse.Namespace) -> bool:
    """Compare captions of every second of a video (VideoAgent's) with none."""
    source = arguments.data / "nextqa"
    if absent := _absent(source, ("val.csv", "map_vid_vidorID.json", CAPTIONS)):
        print(f"## NExT-QA: absent: {absent}; name the folder above with --data\n", flush=True)
        return False
    root = arguments.output / f"nextqa-{arguments.videos}-{arguments.seed}"
    n_questions = choose_videos(source / "val.csv", root / "val.csv", arguments.videos, arguments.seed)
    print(f"## NExT-QA val, {arguments.videos} videos (seed {arguments.seed}), {n_questions} questions", flush=True)
    node = "datasets.nextqa.build_info"
    return ablate(
        arguments,
        f"nextqa-{arguments.videos}-{arguments.seed}",
        "nextqa.yaml",
        ["--none"],
        [
            *("model.experts=[captions]", "model.selector.type=all", f"{node}.root={root}"),
            *(f"{node}.captions.storage={source / CAPTIONS}", "datasets.nextqa.data_type=[captions]"),
            f"{node}.annotation_options.video_map={source / 'map_vid_vidorID.json'}",
            *_limit(arguments),
        ],
    )


def choose_videos(source: Path, target: Path, n_videos: int, seed: int) -> int:
    """Write the rows of some videos, drawn by a seed, in the file's order; return how many there are."""
    with open(source, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names, rows = list(reader.fieldnames or ()), list(reader)
    chosen = set(random.Random(seed).sample(sorted({row["video"] for row in rows}), n_videos))
    kept = [row for row in rows if row["video"] in chosen]
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    return len(kept)


def sqa3d(arguments: argparse.Namespace) -> bool:
    """Compare what people wrote about objects of the scene (Nr3D) with nothing."""
    source = arguments.data / "sqa3d"
    if absent := _absent(source, ("v1_balanced_questions_test_scannetv2.json", "nr3d_captions_by_scene.json")):
        print(f"## SQA3D: absent: {absent}; name the folder above with --data\n", flush=True)
        return False
    print(f"## SQA3D test, {arguments.questions} questions, texts of people (Nr3D)", flush=True)
    return ablate(
        arguments,
        f"sqa3d-{arguments.questions}",
        "sqa3d.yaml",
        ["--none"],
        [
            *("model.experts=[captions]", "model.selector.type=all", f"datasets.sqa3d.build_info.root={source}"),
            *(f"run.limit={arguments.questions}", "run.spread=true"),
        ],
    )


def samples(arguments: argparse.Namespace) -> bool:
    """Compare all experts of a sample's configuration with none and with each left out."""
    known = sorted(path.name.removesuffix("_sample.yaml") for path in (ROOT / EVAL).glob("*_sample.yaml"))
    done = []
    for name in arguments.samples or known:
        if name not in known:
            raise SystemExit(f"no sample {name!r}; there: {', '.join(known)}")
        print(f"## sample in {name}'s format", flush=True)
        rows = ["--none", "--leave-one-out"]
        done.append(ablate(arguments, f"{name}-sample", f"{name}_sample.yaml", rows, _limit(arguments)))
    return all(done)


PARTS = {"nextqa": nextqa, "sqa3d": sqa3d, "samples": samples}


def ablate(arguments: argparse.Namespace, name: str, config: str, rows: list[str], options: list[str]) -> bool:
    """Run one ablation, which prints its table; return whether it came to its end."""
    run_id = f"{name}-{arguments.model}" + (f"-first{arguments.limit}" if arguments.limit else "")
    command = [
        *(sys.executable, "-m", "lavis.cli", "ablate", *rows, "--cfg-path", f"{EVAL}/{config}", "--options"),
        *("model.reasoner.type=embedded", f"model.reasoner.model={arguments.model}", "run.missing_media=record"),
        *(f"run.output_dir={arguments.output}", f"run.run_id={run_id}"),
        *(f"run.evidence_dir={arguments.output / 'kept'}", *options, *arguments.options),
    ]
    status = subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode
    print("" if status == 0 else f"{name} ended with status {status}\n", flush=True)
    return status == 0


def _limit(arguments: argparse.Namespace) -> list[str]:
    return [f"run.limit={arguments.limit}", "run.spread=true"] if arguments.limit else []


def _absent(folder: Path, names: Iterable[str]) -> str:
    return ", ".join(str(folder / name) for name in names if not (folder / name).is_file())


if __name__ == "__main__":
    main()
