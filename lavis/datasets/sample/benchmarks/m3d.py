"""A sample in M3D-VQA's format: drawn bodies in a volume."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from lavis.datasets.datasets.m3d_annotations import COLUMNS
from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.benchmarks.making import make_sample

SHAPE = (32, 64, 64)
CASES = ("M3D_Cap_npy/ct_case/000001/Axial_drawn.npy", "M3D_Cap_npy/ct_quizze/000002/Axial_drawn.npy")
# question type, question, choices, letter of the right one
QUESTIONS = [
    ("1", "In what plane were the slices taken?", "Axial;Sagittal;Coronal;Oblique", "A"),
    ("2", "Which phase is the scan?", "Arterial;Non-contrast;Venous;Delayed", "B"),
    ("3", "Which body is the largest?", "The outer ellipsoid;The small sphere;The table;NA", "A"),
    ("4", "What is seen inside the large body?", "A fracture;A bright sphere;Air;Fluid", "B"),
    ("5", "On which side is the bright sphere?", "Left;Right;NA;NA", "{side}"),
]


def build() -> Path:
    """Make the sample unless it is there, and return its folder."""
    return make_sample("m3d", "M3D-VQA", write)


def write(root: Path) -> int:
    """Write ``M3D_VQA_test.csv`` and volumes [1, 32, 64, 64] float32 in 0 … 1."""
    with (root / "M3D_VQA_test.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        # The published columns, in the published order.
        table.writerow(["Image Path", "Text", *COLUMNS[1:-1], "Answer", "Answer Choice"])
        for case, path in enumerate(CASES):
            (root / path).parent.mkdir(parents=True)
            np.save(root / path, _volume(0.3 if case == 0 else 0.7))
            for kind, question, choices, letter in QUESTIONS:
                right = letter.format(side="AB"[case])
                texts = choices.split(";")
                table.writerow([path, "A drawing.", kind, question, *texts, texts["ABCD".index(right)], right])
    return len(CASES) * len(QUESTIONS)


def _volume(across: float) -> Array:
    depth, height, width = np.meshgrid(*(np.linspace(0, 1, size) for size in SHAPE), indexing="ij")
    body = ((depth - 0.5) / 0.45) ** 2 + ((height - 0.5) / 0.4) ** 2 + ((width - 0.5) / 0.45) ** 2 < 1
    sphere = (depth - 0.5) ** 2 + (height - 0.5) ** 2 + (width - across) ** 2 < 0.08**2
    return (0.4 * body + 0.5 * sphere).astype(np.float32)[None]
