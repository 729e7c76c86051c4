"""A sample in MMAU's format: computed sounds."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from lavis.datasets.sample.benchmarks.making import make_sample
from lavis.datasets.sample.benchmarks.sounds import knocks, pluck, silence, tone, write_wav

# sound → parts, task, question, choices (the first is right here; they are turned below), difficulty
SOUNDS: list[tuple[list[Any], str, str, list[str], str]] = [
    ([knocks(3, 3)], "sound", "How many knocks are heard?", ["Three", "One", "Six", "Nine"], "easy"),
    (
        [tone(440, 2, 0.05), tone(440, 2, 0.6)],
        *("sound", "How does the loudness of the sound change?"),
        *(["It gets louder", "It gets softer", "It stays the same", "It alternates"], "medium"),
    ),
    (
        [tone(440, 3)],
        *("music", "Which note is played?", ["A4", "C5", "E3", "G5"], "medium"),
    ),
    (
        [pluck(262, 1), pluck(330, 1), pluck(392, 1)],
        *("music", "How many notes are played?", ["Three", "One", "Seven", "Ten"], "easy"),
    ),
    (
        [knocks(4, 1), silence(2), knocks(4, 1)],
        *("speech", "How long is the pause in the middle?"),
        *(["About 2 seconds", "About 10 seconds", "There is no pause", "About 30 seconds"], "medium"),
    ),
    (
        [tone(220, 1.5), silence(1.5)],
        *("speech", "When does the sound end?"),
        *(["In the middle", "At the very end", "It never begins", "After one hour"], "hard"),
    ),
]


def build() -> Path:
    """Make the sample unless it is there, and return its folder."""
    return make_sample("mmau", "MMAU", write)


def write(root: Path) -> int:
    """Write ``mmau-test-mini.json`` and the wav files."""
    records: list[dict[str, Any]] = []
    for number, (parts, task, question, choices, difficulty) in enumerate(SOUNDS):
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"sample {number}"))
        write_wav(root / "test-mini-audios" / f"{name}.wav", np.concatenate(parts))
        turned = choices[-number % 4 :] + choices[: -number % 4]
        records.append(
            {
                "id": name,
                "audio_id": f"./test-mini-audios/{name}.wav",
                "question": question,
                "choices": turned,
                **{"answer": choices[0], "dataset": "sample", "task": task},
                **{"split": "test-mini", "category": "Reasoning", "sub-category": "Sample", "difficulty": difficulty},
            }
        )
    (root / "mmau-test-mini.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
    return len(records)
