"""The line of an extraction: what is done, how fast, what is left, and where it is shown."""

from __future__ import annotations

import io
import logging

import pytest

from lavis.extract import progress as module
from lavis.extract.progress import ExtractProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_counts_media_frames_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth: after 10 s one medium of four is done and one is half-way, so that two and a half take 16.7 s more."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    line = ExtractProgress(5, kept=1)
    assert "no rate yet" in line.line()
    now[0] += 10
    line.ended("a", n_frames=200, failed=False)
    line.told("b", 100, 200)
    assert line.line() == "2/5 media (1 kept), 30.0 frames/s, 0 failed, 0:00:17 left"
    line.ended("b", n_frames=0, failed=True)
    assert line.line() == "3/5 media (1 kept), 20.0 frames/s, 1 failed, 0:00:10 left"


def test_a_terminal_has_one_line_and_a_log_one_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    terminal, log = Terminal(), io.StringIO()
    shown = [ExtractProgress(2, kept=0, stream=stream) for stream in (terminal, log)]
    for _ in range(125):
        now[0] += 1
        for one in shown:
            one.show()
    assert terminal.getvalue().count("\r\033[K") == 125 and "\n" not in terminal.getvalue()
    assert len(caplog.records) == 2 and log.getvalue() == ""
