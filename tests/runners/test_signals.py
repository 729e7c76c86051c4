"""Signals that this process sends to itself."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lavis.runners.signals import signalled


def test_signals_reach_their_calls_while_the_block_runs_and_nobody_afterwards() -> None:
    heard: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    with signalled(on_stop=lambda: heard.append("stop"), on_ask=lambda: heard.append("ask")):
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        assert signal.getsignal(signal.SIGINT) == before[signal.SIGINT], "Ctrl-C stays what it is"
    assert heard == ["ask", "stop", "ask"]
    assert {number: signal.getsignal(number) for number in before} == before


def test_what_was_there_before_comes_back_after_an_error_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), signalled(on_stop=lambda: None, on_ask=lambda: None):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_nothing_changes_and_the_block_runs() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def work() -> None:
        with signalled(on_stop=lambda: None, on_ask=lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
