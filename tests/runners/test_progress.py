"""Progress: what a terminal shows, and what a batch log gets."""

from __future__ import annotations

import io
import logging

import pytest

from lavis.runners import progress as progress_module
from lavis.runners.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(progress: Progress, n: int) -> None:
    for number in range(n):
        progress.started()
        progress.ended(status="failed" if number == 0 else "answered", attempts=3 if number == 1 else 1, usd=0.25)


def test_the_line_counts_what_happened() -> None:
    progress = Progress(10, kept=4, stream=io.StringIO())
    run(progress, 2)
    progress.started()
    line = progress.line()
    for part in ("6/10 questions", "1 in flight", "2 retries", "1 failed", "0 unparsed", "0.5000 USD", "s left"):
        assert part in line


def test_a_terminal_gets_one_line_that_renews_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "TERMINAL_EVERY_S", 0.0)
    terminal = Terminal()
    progress = Progress(3, stream=terminal)
    run(progress, 3)
    progress.close()
    shown = terminal.getvalue()
    assert shown.count("\r") == 4
    assert "\n" not in shown
    assert "3/3 questions" in shown


def test_a_batch_log_gets_a_line_when_it_is_due_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    with caplog.at_level(logging.INFO):
        quiet = Progress(5, stream=stream)
        run(quiet, 5)
        assert caplog.records == []
        quiet.close()
        assert len(caplog.records) == 1
        monkeypatch.setattr(progress_module, "LOG_EVERY_S", 0.0)
        run(Progress(5, stream=stream), 5)
    assert len(caplog.records) == 6
    assert stream.getvalue() == ""
