"""Reports: every question is there, every text is escaped, and a person can read it."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lavis.datasets.question import Media, Question
from lavis.experts import Evidence
from lavis.models.mexa_models.answer import Answer, Selection
from lavis.reasoners.base import Completion, Usage
from lavis.report import write_report
from lavis.report.pages import QUESTIONS_PER_PAGE

HOSTILE = '<script>alert(1)</script> & "quoted"'
METRICS = {
    **{"n": 2, "answered": 1, "unparsed": 0, "failed": 1, "exact_match": 50.0},
    "by_type": {"exact_match": {"what": {"percent": 50.0, "n": 2}}},
    "failures": {"server gone": 1},
}


class Counting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def pair(number: int) -> tuple[Question, Answer]:
    question = Question(f"q{number}", f"What? {HOSTILE}", Media("scene", {}), answers=("lamp",), situation="I sit.")
    selection = Selection(("ocr",), "all")
    evidence = (Evidence("ocr", "scene", HOSTILE, "1"), Evidence("depth", "scene", "", "1", error="truncated"))
    if number % 2:
        return question, Answer("", "failed", selection, evidence, None, error="server gone")
    completion = Completion("lamp", Usage(12, 1), "model", 0.1, reasoning="because")
    return question, Answer("lamp", "answered", selection, evidence, completion)


def parsed(path: Path) -> Counting:
    page = Counting()
    page.feed(path.read_text())
    return page


def test_every_question_is_on_a_page_and_no_text_becomes_markup(tmp_path: Path) -> None:
    n = QUESTIONS_PER_PAGE + 3
    index = write_report(tmp_path, "run <1>", {"test": METRICS}, {"test": map(pair, range(n))})
    pages = [parsed(path) for path in sorted(tmp_path.glob("test-*.html"))]
    assert [page.tags.count("article") for page in pages] == [QUESTIONS_PER_PAGE, 3]
    for page in [*pages, parsed(index)]:
        assert "script" not in page.tags
    text = "".join(pages[0].texts)
    assert HOSTILE in text
    assert "no evidence: truncated" in text
    assert "because" in text
    front = "".join(parsed(index).texts)
    for expected in ("run <1>", "exact_match", "50.00", "n=2", "1 failed", "1 × server gone"):
        assert expected in front


def test_a_browser_shows_the_page(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    write_report(tmp_path, "run", {"test": METRICS}, {"test": map(pair, range(2))})
    command = [
        *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "test-0001.html").as_uri()),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "q0" in ran.stdout
    assert "<script>alert" not in ran.stdout
