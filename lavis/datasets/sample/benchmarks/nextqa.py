"""A sample in NExT-QA's format: videos that show one thing after another."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from lavis.datasets.sample.benchmarks.making import make_sample
from lavis.datasets.sample.benchmarks.pictures import HEIGHT_PX, WIDTH_PX, glide, write_video

FOLDER = "0001"
FRAMES_EACH = 24
# video → what it shows, in this order
VIDEOS = {
    "1000000001": ("cat", "cup"),
    "1000000002": ("person", "cat"),
    "1000000003": ("cup", "person"),
    "1000000004": ("person", "cat", "cup"),
}
# video, qid, type, question, options, number of the right one
QUESTIONS = [
    ("1000000001", 0, "TN", "what is shown after the cat", "a person;a cup;a dog;a car;a boat", 1),
    ("1000000001", 1, "DO", "what animal is in the video", "a horse;a dog;a cat;a bird;a cow", 2),
    ("1000000001", 2, "CW", "why is the cat no longer seen at the end", "it falls asleep;it is fed;a cup is shown;"
     "it runs away;a door closes", 2),
    ("1000000002", 0, "TN", "what comes into view after the person", "a cat;a cup;a bus;a chair;a dog", 0),
    ("1000000002", 1, "TP", "what was shown before the cat", "a boat;a person;a cup;a train;a horse", 1),
    ("1000000002", 2, "DC", "how many cats are in the video", "three;five;four;two;one", 4),
    ("1000000003", 0, "TC", "what is shown at the beginning of the video", "a cat;a person;a train;a cup;a bird", 3),
    ("1000000003", 1, "DO", "who is shown at the end of the video", "nobody;a person;two dogs;a cat;a horse", 1),
    ("1000000003", 2, "DL", "where is the person looking", "at the sea;towards the camera;at a cup;at a car;up", 1),
    ("1000000004", 0, "TN", "what is shown after the person and before the cup", "a dog;a bus;a cat;a boat;a cow", 2),
    ("1000000004", 1, "CH", "how does the video go on after the cat", "it stops;the cat returns;a cup is shown;"
     "a dog barks;it is repeated", 2),
    ("1000000004", 2, "TC", "what is shown at the end of the video", "a cup;a person;a cat;a dog;a car", 0),
]  # fmt: skip
HEADER = ["video", "frame_count", "width", "height", "question", "answer", "qid", "type", "a0", "a1", "a2", "a3", "a4"]


def build() -> Path:
    """Make the sample unless it is there, and return its folder."""
    return make_sample("nextqa", "NExT-QA", write)


def write(root: Path) -> int:
    """Write the csv, the map of folders and the videos."""
    for video, shown in VIDEOS.items():
        frames = [frame for name in shown for frame in glide(name, FRAMES_EACH)]
        write_video(root / "NExTVideo" / FOLDER / f"{video}.mp4", frames)
    with (root / "val.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for video, qid, kind, question, options, right in QUESTIONS:
            n_frames = FRAMES_EACH * len(VIDEOS[video])
            table.writerow([video, n_frames, WIDTH_PX, HEIGHT_PX, question, right, qid, kind, *options.split(";")])
    folders = {video: f"{FOLDER}/{video}" for video in VIDEOS}
    (root / "map_vid_vidorID.json").write_text(json.dumps(folders), encoding="utf-8")
    return len(QUESTIONS)
