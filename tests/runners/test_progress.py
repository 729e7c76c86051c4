"""Progress: what a terminal shows, and what a batch log gets."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest
from mexa_parts import RecordingReasoner

from lavis.common import event_loop, status_line
from lavis.reasoners.base import Completion, Usage
from lavis.reasoners.ledger import Ledger, Prices
from lavis.runners.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(progress: Progress, n: int) -> None:
    for number in range(n):
        progress.started()
        progress.ended("failed" if number == 0 else "answered")


def show_for(progress: Progress, seconds: float) -> None:
    async def show() -> None:
        showing = asyncio.create_task(progress.show())
        await asyncio.sleep(seconds)
        showing.cancel()

    event_loop.run(show())


def test_the_line_counts_what_happened() -> None:
    """Two calls of 1,000 tokens in and 100 out at 100 and 1,500 USD a million; one of them was cached by half."""
    reasoner = RecordingReasoner()
    reasoner.model = "m"
    reasoner.monitor.retries.update({"HTTP 429": 2, "timeout": 1})
    reasoner.monitor.in_flight, reasoner.monitor.limit = 3, 8
    ledger = Ledger({"m": Prices(100.0, 1500.0, 0.0)})
    for cached in (0, 500):
        ledger.settle(0, reasoner, Completion("x", Usage(1000, 100, cached), "m", 0.0))
    progress = Progress(10, kept=4, stream=io.StringIO(), reasoners=[reasoner], ledger=ledger)
    run(progress, 2)
    progress.started()

    assert progress.retries == {"HTTP 429": 2, "timeout": 1}
    line = progress.line()
    for part in (
        *("6/10 questions", "1 in flight", "3 calls of 8", "3 retries (HTTP 429 2, timeout 1)", "1 failed"),
        *("0 unparsed", "2000 tokens in (500 cached), 200 out", "0.4500 USD", "0:00:00 left"),
    ):
        assert part in line
    assert "away" not in line
    reasoner.monitor.waiting_for = "the server is away"
    assert progress.line().endswith(", the server is away")


def test_a_cost_that_nobody_can_know_is_called_unknown() -> None:
    ledger = Ledger()
    assert "0.0000 USD" in Progress(1, ledger=ledger).line()
    ledger.settle(0, RecordingReasoner(), Completion("x", Usage(1000, 100), "m", 0.0))
    assert "USD unknown" in Progress(1, ledger=ledger).line()


def test_a_terminal_gets_one_line_that_renews_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_line, "TERMINAL_EVERY_S", 0.01)
    terminal = Terminal()
    progress = Progress(3, stream=terminal)
    run(progress, 3)
    show_for(progress, 0.3)
    progress.close()
    shown = terminal.getvalue()
    assert shown.count("\r") >= 3
    assert "\n" not in shown
    assert "] 100 % 3/3 questions" in shown
    assert shown.endswith("\r\033[K"), "the last thing is to make room for what comes next"


def test_a_batch_log_gets_a_line_when_it_is_due_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    with caplog.at_level(logging.INFO):
        progress = Progress(5, stream=stream)
        run(progress, 5)
        show_for(progress, 0.1)
        assert caplog.records == [], "a minute has not gone by"
        progress.close()
        assert len(caplog.records) == 1
        monkeypatch.setattr(status_line, "LOG_EVERY_S", 0.01)
        show_for(progress, 0.3)
    assert len(caplog.records) >= 3
    assert all("5/5 questions" in record.getMessage() for record in caplog.records)
    assert stream.getvalue() == ""
