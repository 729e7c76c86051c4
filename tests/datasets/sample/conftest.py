"""The sample, made once, and its files as plain data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import WeightsError
from lavis.datasets.sample import build_sample
from lavis.datasets.sample.plan import Box, Room, Stand, Thing, Walk


@pytest.fixture(scope="session")
def sample() -> Path:
    """The sample in the cache, made if it is not there (its version follows the code)."""
    try:
        return build_sample()
    except WeightsError as error:
        pytest.skip(f"the sample's photographs cannot be had: {error}")


@pytest.fixture(scope="session")
def scanqa(sample: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((sample / "annotations" / "SQA_test.json").read_text())
    return records


@pytest.fixture(scope="session")
def designed_for(sample: Path) -> dict[str, dict[str, Any]]:
    truth: dict[str, dict[str, Any]] = json.loads((sample / "truth" / "questions.json").read_text())
    return truth


@pytest.fixture
def bare_room() -> Room:
    """4 × 6 × 2.5 m with one red cube of 0.6 m whose near face is 1 m east of the middle; no photographs."""
    cube = Thing("cube", "red", (Box((1.0, -0.3, 0.0), (1.6, 0.3, 0.6), "red"),))
    walk = Walk(Stand(0.0, 0.0, 0.0), (("turn", 30.0), ("walk", 0.4)), -10.0)
    return Room("bare0000_00", "bare room", (4.0, 6.0, 2.5), "blue", ("tiles", "grey"), (cube,), walk, ())
