"""Touch-QA and Thermal-QA as CREMA lays them out: where the videos lie, and what is made of them."""

from __future__ import annotations

import dataclasses
from typing import Literal

Unit = Literal["seconds", "frames"]
UNITS: tuple[Unit, ...] = ("seconds", "frames")


@dataclasses.dataclass(frozen=True)
class Camera:
    """One of the two videos of a recording.

    Attributes:
        name: what is looked at.
        sources: the folder of all recordings.
        file: of the video in the recording's folder.
        clips: the folder of the questions' clips.
        clip: a clip's name.
        frames: the folder of the questions' folders of frames.
    """

    name: str
    sources: str
    file: str
    clips: str
    clip: str
    frames: str


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A benchmark whose questions are about a part of a video.

    Attributes:
        annotations: per split, the names that its file may have.
        unit: of ``start`` and ``end``, unless said otherwise.
        has_end: whether a record says where its part ends; else it ends with the video.
        cameras: the first one is what ``start`` and ``end`` count in.
    """

    annotations: tuple[tuple[str, ...], ...]
    unit: Unit
    has_end: bool
    cameras: tuple[Camera, ...]


BENCHMARKS = {
    "touchqa": Benchmark(
        annotations=(("touch_train.json", "touchqa_train.json"), ("touch_val.json", "touchqa_val.json")),
        unit="frames",
        has_end=True,
        cameras=(
            Camera("video", "dataset", "video.mp4", "clips", "{}.mp4", "video_frames"),
            Camera("touch", "dataset", "gelsight.mp4", "touch_clips", "{}_touch.mp4", "touch_frames"),
        ),
    ),
    "thermalqa": Benchmark(
        annotations=(("thermalqa_train.json",), ("thermalqa_val.json",)),
        unit="seconds",  # the records hold 52.867; CREMA's tool reads that as frame 52
        has_end=False,
        cameras=(
            Camera("video", "Thermal-IM", "RGBD_RGB.mp4", "clips", "{}.mp4", "video_frames"),
            Camera("thermal", "Thermal-IM", "RGBT_T.mp4", "thermal_clips", "{}_thermal.mp4", "thermal_frames"),
        ),
    ),
}
