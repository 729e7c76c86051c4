"""`lavis list experts`: the table of a real process, and experts of other packages in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lavis.cli.experts import HEADER, ExpertState, expert_states, uncovered
from lavis.cli.main import main
from lavis.common.registry import registry
from lavis.experts.skills import SKILLS

HEAVY = "{'torch', 'cv2', 'av', 'onnxruntime', 'transformers', 'xllamacpp', 'faster_whisper', 'rapidocr'}"
EXPERT = """
from lavis.experts import Expert, ExpertCard

class Barking(Expert):
    card = ExpertCard(name="barking", modality="audio", skill="B2", summary="how often a dog barks", version="1")
    packages = ("a_package_that_nobody_has",)

    def write(self, clip):
        return "no dog barks"
"""


def listed(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from lavis.cli.main import main; status = main(['list', *sys.argv[1:]]); "
        f"sys.exit(9 if {HEAVY} & set(sys.modules) else status)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def row_of(name: str, table: str) -> str:
    return next(line for line in table.splitlines() if f" {name} " in line)


def test_every_expert_has_its_line_by_skill_and_no_heavy_library_is_imported(tmp_path: Path) -> None:
    """Truth: in an empty cache the detector's files are missing; scene3d needs nothing."""
    done = listed("experts", LAVIS_CACHE=str(tmp_path))

    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.split("\n\n")[0].splitlines()
    assert head.split("  ")[0] == HEADER[0]
    assert len(lines) == len(registry.list_names("expert"))
    skills = [line.split()[0] for line in lines]
    assert skills == sorted(skills, key=list(SKILLS).index)
    assert "needs files" in row_of("frames", done.stdout)
    assert "lavis weights fetch ssd_mobilenet_v2_coco ssd_mobilenet_v2_coco_graph (" in row_of("frames", done.stdout)
    assert row_of("scene3d", done.stdout).split()[-1] == "available"
    assert "instances+pose" in row_of("scene3d", done.stdout)


def test_experts_of_an_installed_package_are_listed_and_broken_ones_do_not_hide_the_others(tmp_path: Path) -> None:
    """A package as an installer leaves it: a module, and a dist-info folder with its entry points."""
    (tmp_path / "dogs.py").write_text(EXPERT)
    info = tmp_path / "dogs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dogs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lavis.experts]\nbarking = dogs:Barking\nmeowing = cats:Meowing\n")

    done = listed("experts", PYTHONPATH=str(tmp_path))

    assert done.returncode == 0, done.stderr
    barking = row_of("barking", done.stdout)
    assert barking.startswith("B2 sounds ")
    assert "unavailable" in barking
    assert "pip install a_package_that_nobody_has" in barking
    assert "broken" in row_of("meowing", done.stdout)
    assert "No module named 'cats'" in row_of("meowing", done.stdout)
    assert "scene3d" in done.stdout
    assert "barking" in listed("expert", PYTHONPATH=str(tmp_path)).stdout.splitlines()


def test_a_skill_is_covered_by_whoever_can_look() -> None:
    states = {state.name: state for state in expert_states()}
    assert states["scene3d"].usable
    assert "C2 situated 3D scene" not in uncovered(list(states.values()))
    lacking = ExpertState("scene3d", "unavailable", states["scene3d"].expert, "pip install x")
    assert "C2 situated 3D scene" in uncovered([lacking])
    assert uncovered([]) == [f"{skill} {name}" for skill, name in SKILLS.items()]


def test_the_table_is_one_of_the_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "expertss"]) == 1
    assert "Did you mean 'experts'?" in capsys.readouterr().err
