"""Where questions are just now, on a clock that the test sets."""

from __future__ import annotations

from lavis.models.mexa_models.stages import Stages


def test_a_line_says_the_stage_its_time_and_the_whole_time_the_oldest_question_first() -> None:
    now = [100.0]
    stages = Stages(clock=lambda: now[0])
    stages.enter("new", "selector")
    now[0] = 90.0
    stages.enter("old", "selector")
    now[0] = 101.5
    stages.enter("old", "experts (depth, flow)")
    now[0] = 104.0

    assert stages.lines() == [
        "question old: experts (depth, flow) for 2.5 s, in flight for 14.0 s",
        "question new: selector for 4.0 s, in flight for 4.0 s",
    ]


def test_a_finished_question_is_gone_and_begins_anew_if_asked_again() -> None:
    now = [0.0]
    stages = Stages(clock=lambda: now[0])
    stages.enter("1", "selector")
    stages.leave("1")
    stages.leave("1")
    assert (len(stages), stages.lines()) == (0, [])
    now[0] = 60.0
    stages.enter("1", "selector")
    assert stages.lines() == ["question 1: selector for 0.0 s, in flight for 0.0 s"]
