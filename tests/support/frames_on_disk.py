"""Media whose frames are plain greys, so that a picture in a request tells which frame it is."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from lavis.datasets.question import Media, Question

STEP = 20


def grey_frames(folder: Path, n_frames: int) -> Path:
    """Write frames of which the k-th has the grey ``STEP * k``."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(n_frames):
        Image.fromarray(np.full((48, 64, 3), STEP * number, np.uint8)).save(folder / f"{number:04d}.png")
    return folder


def asked_about(folder: Path, question_id: str = "q1", **more: Any) -> Question:
    """Return a question on a folder of frames."""
    return Question(question_id, "What happens?", Media(folder.name, {"frame": folder}), **more)


def picture_of(part: dict[str, Any]) -> np.ndarray:
    """Return the picture [h, w, 3] of a request's ``image_url`` part, which must be a JPEG as data URL."""
    from PIL import Image

    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def shown_frames(body: dict[str, Any]) -> list[int]:
    """Return which frames a request shows, in its order."""
    parts = [part for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    return [round(float(picture_of(part).mean()) / STEP) for part in parts]


def words_of(body: dict[str, Any]) -> str:
    """Return the words of a request's user message."""
    return str(body["messages"][-1]["content"][-1]["text"])
