"""A sample in MUSIC-AVQA's format: pictures with computed sounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lavis.datasets.sample.benchmarks.making import make_sample
from lavis.datasets.sample.benchmarks.pictures import RATE_HZ, glide, write_video
from lavis.datasets.sample.benchmarks.sounds import knocks, pluck, silence

DURATION_S = 6
# video → (picture, its sound): a plucked string stands for a ukulele, knocks for a drum
VIDEOS: dict[str, tuple[str, list[Any]]] = {
    "00000001": ("person", [pluck(440, 1) for _ in range(DURATION_S)]),
    "sa00000002": ("cat", [knocks(6, DURATION_S)]),
    "00000003": ("cup", [silence(3), pluck(330, 1), pluck(392, 1), pluck(330, 1)]),
}
# video, type, sub-type, question, values, answer
QUESTIONS: list[tuple[str, str, str, str, list[str], str]] = [
    ("00000001", "Audio", "Counting", "How many musical instruments were heard throughout the video?", [], "one"),
    ("00000001", "Audio", "Counting", "Is there a <Object> sound?", ["drum"], "no"),
    ("00000001", "Audio-Visual", "Existential", "Is there a voiceover?", [], "no"),
    ("sa00000002", "Audio", "Comparative", "Is the <Object> louder than the <Object>?", ["drum", "pipa"], "yes"),
    ("sa00000002", "Visual", "Location", "Where is the performance?", [], "indoor"),
    ("sa00000002", "Audio-Visual", "Existential", "Is this sound from the instrument in the video?", [], "no"),
    ("00000003", "Audio", "Counting", "Is there a <Object> sound?", ["ukulele"], "yes"),
    ("00000003", "Audio-Visual", "Existential", "Is the <Object> in the video always playing?", ["ukulele"], "no"),
    ("00000003", "Visual", "Counting", "Are there <Object> and <Object> instruments?", ["cello", "tuba"], "no"),
]  # fmt: skip


def build() -> Path:
    """Make the sample unless it is there, and return its folder."""
    return make_sample("musicavqa", "MUSIC-AVQA", write)


def write(root: Path) -> int:
    """Write ``avqa-test.json`` and videos with sound."""
    for video, (shown, sounds) in VIDEOS.items():
        write_video(root / "video" / f"{video}.mp4", glide(shown, DURATION_S * RATE_HZ), np.concatenate(sounds))
    records = [
        {
            "video_id": video,
            "question_id": number,
            "type": json.dumps([kind, sub_type]),
            "question_content": question,
            "templ_values": json.dumps(values),
            "question_deleted": 0,
            "anser": answer,
        }
        for number, (video, kind, sub_type, question, values, answer) in enumerate(QUESTIONS)
    ]
    (root / "avqa-test.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
    return len(records)
