"""A sample in Video-MMMU's format: three tracks on the same videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lavis.datasets.sample.benchmarks.making import make_sample
from lavis.datasets.sample.benchmarks.pictures import glide, write_video

VIDEOS = {
    "validation_Biology_1": ("cat", "person"),
    "validation_Design_2": ("cup", "cat"),
    "new_Public_Health_3": ("person", "cup"),
}
THINGS = ("cat", "person", "cup", "dog", "horse", "bus", "boat", "chair", "clock", "bird")


def build() -> Path:
    """Make the sample unless it is there, and return its folder."""
    return make_sample("videommmu", "Video-MMMU", write)


def write(root: Path) -> int:
    """Write the three tracks' JSON and the videos."""
    for video, shown in VIDEOS.items():
        write_video(root / "videos" / f"{video}.mp4", [frame for name in shown for frame in glide(name, 24)])
    tracks: dict[str, list[dict[str, Any]]] = {
        "Perception": [
            _choice(video, "What is shown first in the lecture?", shown[0]) for video, shown in VIDEOS.items()
        ],
        "Comprehension": [
            _choice(video, f"What does the lecture turn to after the {first}?", second)
            for video, (first, second) in VIDEOS.items()
        ],
        "Adaptation": [
            {**_choice(video, "Which of these is in <image 1>?", shown[-1]), "question_type": "multiple-choice"}
            for video, shown in list(VIDEOS.items())[:2]
        ],
    }
    tracks["Adaptation"].append(
        {
            **{"id": "new_Public_Health_3", "link_selected": "", "options": [], "answer": "2", "question_type": "open"},
            "question": "How many different things does the lecture show?",
        }
    )
    for track, records in tracks.items():
        document = {track: {str(number): record for number, record in enumerate(records)}}
        (root / f"{track.lower()}.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return sum(map(len, tracks.values()))


def _choice(video: str, question: str, right: str) -> dict[str, Any]:
    return {
        **{"id": video, "link_selected": "", "question": question, "options": list(THINGS)},
        "answer": "ABCDEFGHIJ"[THINGS.index(right)],
    }
