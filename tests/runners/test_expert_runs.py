"""Whole runs whose experts fail, hang, flood, contradict and ask a model: what rows, metrics and pages say."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frames_on_disk import grey_frames, shown_frames
from PIL import Image
from provider import KEY, Handler, Provider, reply, status
from sqa3d_runs import environment, journaled, metrics, options, run, write_root

N_SCENES, SCENE_QUESTIONS = 2, 3
N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
SCENES = ("scene0000_00", "scene0001_00")
# A plug-in as a user would write it; every expert reads the same real texts as the package's own `captions`.
PLUGIN = '''
import dataclasses, os, sys, time

from lavis.common.registry import registry
from lavis.experts import Expert, ExpertCard

CARD = ExpertCard("plain", "captions", "A1", "texts", "1")


class OnTexts(Expert):
    """Notes its looks, so that a test can count them over processes."""

    card = dataclasses.replace(CARD, name="on_texts")

    def look(self, question, reader, **limits):
        with open(os.environ["LOOKS"], "a") as log:
            log.write(f"{self.card.name} {question.media.media_id}\\n")
        return super().look(question, reader, **limits)

    def write(self, texts):
        return f"{len(texts)} texts"


def define(name, write, **changes):
    card = dataclasses.replace(CARD, name=name, **changes)
    registry.register_expert(name)(type(name.title(), (OnTexts,), {"card": card, "write": write}))


def fails_on_one(self, texts):
    if "room 1" in texts[0].text:
        raise StopIteration
    return "raising saw room 0"


def hangs_on_one(self, texts):
    if "room 1" in texts[0].text:
        time.sleep(600)
    return "hanging saw room 0"


define("plain", OnTexts.write, version=os.environ.get("PLAIN_VERSION", "1"))
define("raising", fails_on_one)
define("hanging", hangs_on_one)
define("leaving", lambda self, texts: sys.exit(7))
define("flood", lambda self, texts: "many words " * 500_000)
define("silent", lambda self, texts: "  ")
define("optimist", lambda self, texts: "The door is open.")
define("pessimist", lambda self, texts: "The door is closed.")
define("aware", lambda self, texts, question: f"asked: {question.text}", question_aware=True)
'''
HANGING, FLOOD = "{name: hanging, timeout_s: 0.3}", "{name: flood, max_chars: 400}"
EXPERTS = f"plain,raising,{HANGING},leaving,{FLOOD},silent,optimist,pessimist,aware"


def plugin(folder: Path) -> Path:
    path = folder / "failing_experts.py"
    path.write_text(PLUGIN)
    return path


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "result" / "test.json").read_text())
    return rows


def page_of(folder: Path) -> str:
    return html.unescape((folder / "report" / "test-0001.html").read_text())


# -- experts that fail -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("sqa3d") / "root", n_scenes=N_SCENES, scene_questions=SCENE_QUESTIONS)


def plugin_options(base: Path, run_id: str, experts: str, *more: str) -> list[str]:
    kept = [option for option in options(base, run_id) if not option.startswith("model.experts")]
    return [*kept, f"run.plugins=[{plugin(base)}]", f"model.experts=[{experts}]", "model.selector.type=all", *more]


@pytest.fixture(scope="module")
def failing(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in which half of the experts misbehave."""
    base = tmp_path_factory.mktemp("failing")
    env = environment(root, base / "cache", LOOKS=str(base / "looks"))
    ran = run(plugin_options(base, "one", EXPERTS, "run.missing_media=record"), env)
    assert ran.returncode == 0, ran.stderr
    return base / "one"


def test_every_question_is_answered_and_its_row_says_who_is_absent_and_why(failing: Path) -> None:
    """Truth: the plug-in's raising and hanging experts fail on the second scene alone, two others everywhere."""
    rows = rows_of(failing)
    assert [row["status"] for row in rows] == ["answered"] * N_QUESTIONS
    for row in rows:
        at = f"Question {row['question_id']}: expert "
        on = f" on medium '{row['media_id']}' "
        everywhere = {"leaving": f"{at}'leaving'{on}raised SystemExit: 7"}
        second = {
            "raising": f"{at}'raising'{on}raised RuntimeError: StopIteration: ",
            "hanging": f"{at}'hanging'{on}did not return within 0.3 s.",
        }
        absent = dict(row["absent"])
        assert "expert 'silent' says nothing of it" in absent.pop("silent")
        assert absent == {**everywhere, **(second if row["media_id"] == SCENES[1] else {})}
        assert row["notes"] == {"flood": "cut to 400 of 5499999 characters"}


def test_metrics_count_of_every_expert_for_how_many_questions_it_failed(failing: Path) -> None:
    counted = metrics(failing)["test"]["experts"]
    assert {name: one["questions"] for name, one in counted.items()} == dict.fromkeys(
        ("aware", "flood", "hanging", "leaving", "optimist", "pessimist", "plain", "raising", "silent"), N_QUESTIONS
    )
    half = N_QUESTIONS // N_SCENES
    failed = {"hanging": half, "leaving": N_QUESTIONS, "raising": half, "silent": N_QUESTIONS}
    assert {name: one["failed"] for name, one in counted.items() if one["failed"]} == failed


def test_the_page_shows_what_failed_what_was_cut_and_both_sides_of_a_contradiction(failing: Path) -> None:
    page, front = page_of(failing), (failing / "report" / "index.html").read_text()
    assert page.count("no evidence: Question") == sum(len(row["absent"]) for row in rows_of(failing))
    assert page.count("raised RuntimeError: StopIteration") == SCENE_QUESTIONS
    assert page.count("cut to 400 of 5499999 characters") == N_QUESTIONS
    assert page.count("The door is open.") == page.count("The door is closed.") == N_QUESTIONS
    assert '<td>leaving</td><td class="number">6</td><td class="number"><span class="wrong">6</span>' in front


def test_the_journal_s_evidence_lies_in_two_folders_and_failures_in_neither(failing: Path) -> None:
    kept = failing.parent / "cache" / "evidence"
    said = {
        folder: Counter(json.loads(path.read_text())["entry"]["expert"] for path in (kept / folder).rglob("*.json"))
        for folder in ("media", "questions")
    }
    assert said["questions"] == {"aware": N_QUESTIONS}
    whole = dict.fromkeys(("plain", "flood", "optimist", "pessimist"), N_SCENES)
    assert said["media"] == {**whole, "raising": 1, "hanging": 1}
    assert len(journaled(failing)) == N_QUESTIONS


def test_under_the_strict_policy_the_first_failure_ends_the_run_by_name(root: Path, tmp_path: Path) -> None:
    env = environment(root, tmp_path / "cache", LOOKS=str(tmp_path / "looks"))
    ran = run(plugin_options(tmp_path, "strict", "plain,leaving", "run.missing_media=error"), env)
    assert ran.returncode == 2
    assert "expert 'leaving' on medium" in ran.stderr and "raised SystemExit: 7" in ran.stderr
    assert ran.stderr.rstrip().splitlines()[-1].startswith("ExpertError: Question ")


def test_a_changed_version_makes_that_expert_look_again_and_no_other(root: Path, tmp_path: Path) -> None:
    looks = {}
    for run_id, version in (("first", "1"), ("again", "1"), ("newer", "2")):
        log = tmp_path / run_id
        env = environment(root, tmp_path / "cache", LOOKS=str(log), PLAIN_VERSION=version)
        ran = run(plugin_options(tmp_path, f"run-{run_id}", "plain,optimist,aware"), env)
        assert ran.returncode == 0, ran.stderr
        looks[run_id] = Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()
    assert looks["first"] == {"plain": N_SCENES, "optimist": N_SCENES, "aware": N_QUESTIONS}
    assert looks["again"] == {}
    assert looks["newer"] == {"plain": N_SCENES}


# -- experts that are not there ----------------------------------------------------------------


def test_an_unavailable_expert_ends_a_run_before_anything_is_made(root: Path, tmp_path: Path) -> None:
    opts = [option.replace("[captions]", "[captions,vlm_video]") for option in options(tmp_path, "one")]
    ran = run(opts, environment(root, tmp_path / "cache"))
    assert ran.returncode == 2
    assert "model.experts: 'vlm_video' is not available here. To enable it: " in ran.stderr
    assert "model.experts=[{name: vlm_video, reasoner: {type: openai" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "one").exists()


# -- experts that ask a model ------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A model that takes four pictures and refuses what is almost white."""

    def look(handler: Handler) -> None:
        greys = shown_frames(handler.body)
        if len(greys) > 4:
            status(400, "At most 4 image(s) may be provided in one request.")(handler)
        elif min(greys) >= 12:
            status(400, "filtered", error={"code": "content_filter"})(handler)
        else:
            reply("A room <b>in grey</b>.")(handler)

    server = Provider()
    server.script = [look]
    server.start()
    yield server
    server.stop()


def test_a_refusal_and_a_limit_of_pictures_are_recorded_in_rows_metrics_and_pages(
    root: Path, provider: Provider, tmp_path: Path
) -> None:
    """Truth: the first scene's eight frames are dark, the second's almost white; texts are there for both."""
    own = write_root(tmp_path / "root", n_scenes=N_SCENES, scene_questions=SCENE_QUESTIONS)
    grey_frames(own / "frames" / SCENES[0], 8)
    (own / "frames" / SCENES[1]).mkdir()
    for number in range(8):
        Image.fromarray(np.full((48, 64, 3), 250, np.uint8)).save(own / "frames" / SCENES[1] / f"{number:04d}.png")
    node = f"type: openai, base_url: '{provider.url}', model: m, api_key_env: PLANTED_KEY, sees_images: true"
    opts = [
        *(one for one in options(tmp_path, "one") if not one.startswith("model.experts")),
        f"model.experts=[captions,{{name: vlm_video, reasoner: {{{node}}}}}]",
        *("model.selector.type=all", "run.missing_media=record"),
    ]
    ran = run(opts, environment(own, tmp_path / "cache", PLANTED_KEY=KEY))
    assert ran.returncode == 0, ran.stderr

    folder = tmp_path / "one"
    for row in rows_of(folder):
        assert row["status"] == "answered"
        if row["media_id"] == SCENES[0]:
            assert row["absent"] == {}
            assert row["notes"] == {"vlm_video": "4 of 8 pictures: the model takes no more"}
        else:
            assert "refused on policy" in row["absent"]["vlm_video"]
    found = metrics(folder)["test"]
    assert found["experts"]["vlm_video"] == {"questions": N_QUESTIONS, "failed": SCENE_QUESTIONS}
    assert found["experts"]["captions"] == {"questions": N_QUESTIONS, "failed": 0}
    expert = found["usage"]["expert"]
    assert (expert["calls"], expert["input_tokens"], list(expert["by_model"])) == (1, 100, ["served-model"])
    page = (folder / "report" / "test-0001.html").read_text()
    told = "served-model: 100 tokens in, 20 out; 4 of 8 pictures: the model takes no more"
    assert page.count(told) == SCENE_QUESTIONS
    assert page.count('vlm_video <span class="wrong">failed</span>') == SCENE_QUESTIONS
    assert "<b>in grey" not in page and page.count("&lt;b&gt;in grey&lt;/b&gt;") == SCENE_QUESTIONS
    for path in [one for one in tmp_path.rglob("*") if one.is_file()]:
        assert KEY.encode() not in path.read_bytes(), path
