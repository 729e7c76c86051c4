"""Samples in the formats of Touch-QA and Thermal-QA: clips as `lavis data prepare` leaves them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.benchmarks.making import make_sample
from lavis.datasets.sample.benchmarks.pictures import HEIGHT_PX, WIDTH_PX, glide, write_frames

N_FRAMES = 9
RATE_HZ = 3
SHOWN = ("cup", "cat", "cup", "cat")
TOUCHED = "What object is being touched?"
HAPPENED = "What might have happened before this video?"


def build_touch() -> Path:
    """Make the sample of Touch-QA unless it is there, and return its folder."""
    return make_sample("touchqa", "Touch-QA", write_touch)


def build_thermal() -> Path:
    """Make the sample of Thermal-QA unless it is there, and return its folder."""
    return make_sample("thermalqa", "Thermal-QA", write_thermal)


def write_touch(root: Path) -> int:
    """Write ``touch_val.json``, frames of what is touched and of a soft sensor's imprint."""
    records = []
    for number, shown in enumerate(SHOWN):
        write_frames(root / "video_frames" / str(number), glide(shown, N_FRAMES))
        write_frames(root / "touch_frames" / str(number), [_imprint(k / N_FRAMES, shown) for k in range(N_FRAMES)])
        start = 30 * number
        records.append(
            {
                **{"video_id": f"take_{number}", "question_id": number, "start": start, "end": start + N_FRAMES * 10},
                **{"question": TOUCHED, "answer": shown},
            }
        )
    (root / "touch_val.json").write_text(json.dumps(records), encoding="utf-8")
    return len(records)


def write_thermal(root: Path) -> int:
    """Write ``thermalqa_val.json``, frames of a thing and of the warmth that a hand left on it."""
    records = []
    for number, shown in enumerate(SHOWN):
        write_frames(root / "video_frames" / str(number), glide(shown, N_FRAMES, backwards=True))
        write_frames(
            root / "thermal_frames" / str(number), [_warmth(1 - k / N_FRAMES, number) for k in range(N_FRAMES)]
        )
        records.append(
            {
                **{"start": 1.5 * number, "video_id": f"20260101_{number}_split1", "question_id": number},
                **{"answer": f"touch {shown}", "question": HAPPENED},
            }
        )
    (root / "thermalqa_val.json").write_text(json.dumps(records), encoding="utf-8")
    return len(records)


def _grid() -> tuple[Array, Array]:
    down, right = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    return right / WIDTH_PX - 0.5, down / HEIGHT_PX - 0.5


def _imprint(pressure: float, shown: str) -> Array:
    """Return a sensor's picture [h, w, 3]: a round imprint for a cup, fine lines for fur."""
    x, y = _grid()
    relief = np.abs(np.hypot(x, y) - 0.25) < 0.05 if shown == "cup" else np.sin(90 * x + 40 * y) > 0.4
    grey = 110 + 90 * pressure * relief
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)


def _warmth(strength: float, number: int) -> Array:
    """Return a thermal picture [h, w, 3] in grey: a warm spot that fades."""
    x, y = _grid()
    spot = np.exp(-((x - 0.1 * number + 0.15) ** 2 + y**2) / 0.01)
    return np.repeat((60 + 150 * strength * spot)[..., None], 3, axis=-1).astype(np.uint8)
