"""A medium with two texts and a pose, as a question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mexa_parts import SECRET_GOLD

from lavis.datasets.question import Media, Pose, Question


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Question]:
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"scene": ["a brown chair", "the door is open"]}))

    def make(text: str = "What is left of me?", **changes: Any) -> Question:
        media = Media("scene", {"captions": path}, {"pose": Pose((1.0, 2.0, 0.0), (1.0, 0.0))})
        return Question(**{"question_id": "7", "text": text, "media": media, "answers": (SECRET_GOLD,), **changes})

    return make
