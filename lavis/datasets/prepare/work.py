"""Clips and frames of all questions: one process a recording, which decodes each of its videos as little as it can."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lavis.common.cores import usable_cores
from lavis.common.errors import AnnotationError, LavisError
from lavis.datasets.prepare.benchmarks import Benchmark, Camera, Unit
from lavis.datasets.prepare.cuts import Cut, CutSettings
from lavis.datasets.prepare.parts import Part, frame_range, read_parts, span_s
from lavis.datasets.question import path_inside
from lavis.extract.progress import ExtractProgress
from lavis.extract.record import PARTIAL_NAME, Failures, keep_settings, tidy
from lavis.extract.video_stream import VideoStream
from lavis.extract.workers import Tell, run_jobs
from lavis.runners.lease import Lease

logger = logging.getLogger(__name__)

# So many parts of one video are cut side by side; each holds an encoder.
SIDE_BY_SIDE = 8


@dataclasses.dataclass(frozen=True)
class Recording:
    """The questions on one recording, by start."""

    video_id: str
    parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Of the questions: how many were finished before, are finished now, and failed."""

    kept: int
    done: int
    failed: int


@dataclasses.dataclass(frozen=True)
class _Absent:
    """A video that cannot be opened."""

    path: Path
    error: LavisError


class PrepareWork:
    """Cuts the parts of one recording after the other in a worker process.

    Args:
        root: folder of the benchmark.
        benchmark: how it is laid out.
        unit: of starts and ends.
        settings: how clips and frames are made.
    """

    def __init__(self, root: Path, benchmark: Benchmark, unit: Unit, settings: CutSettings) -> None:
        self.root = root
        self.benchmark = benchmark
        self.unit = unit
        self.settings = settings

    def prepare(self, n_threads: int) -> None:
        """Hold the decoder to its share of the cores."""
        self._n_threads = n_threads

    def do(self, job: Recording, tell: Tell) -> list[dict[str, str]]:
        """Make what is missing of a recording; returns the failures, one a question and camera."""
        failures: list[dict[str, str]] = []

        def failed(part: Part, path: Path, error: BaseException) -> None:
            failures.append(
                {"question_id": part.question_id, "video_id": part.video_id, "file": str(path), "reason": str(error)}
            )

        main: VideoStream | _Absent | None = None
        for camera in self.benchmark.cameras:
            video = self._open(job, camera)
            main = main or video  # the first camera's, which starts and ends count in
            absent = next((one for one in (main, video) if isinstance(one, _Absent)), None)
            if isinstance(main, VideoStream) and isinstance(video, VideoStream):
                self._cut(job, camera, main, video, failed, tell)
            elif absent is not None:
                for part in job.parts:
                    if any(self.targets(part, camera)):
                        failed(part, absent.path, absent.error)
        return failures

    def targets(self, part: Part, camera: Camera) -> tuple[Path | None, Path | None]:
        """Return where the part's clip and frames go; None for what is there or not wanted.

        Raises:
            AnnotationError: the question's id leaves its folder.
        """
        clip = path_inside(self.root / camera.clips, camera.clip.format(part.question_id), annotation=part.annotation)
        frames = path_inside(self.root / camera.frames, part.question_id, annotation=part.annotation)
        wants_clip = self.settings.clips and not clip.exists()
        return clip if wants_clip else None, None if frames.exists() else frames

    def _open(self, job: Recording, camera: Camera) -> VideoStream | _Absent:
        path = self.root / camera.sources / job.video_id / camera.file
        try:
            path = path_inside(
                self.root / camera.sources, f"{job.video_id}/{camera.file}", annotation=job.parts[0].annotation
            )
            return VideoStream(path, media_id=job.video_id, n_threads=self._n_threads)
        except LavisError as error:
            return _Absent(path, error)

    def _cut(
        self,
        job: Recording,
        camera: Camera,
        main: VideoStream,
        video: VideoStream,
        failed: Callable[[Part, Path, BaseException], None],
        tell: Tell,
    ) -> None:
        cuts: dict[Cut, Part] = {}
        for part in job.parts:
            clip, frames = self.targets(part, camera)
            if clip is None and frames is None:
                continue
            try:
                start_s, end_s = span_s(part, self.unit, main)
                first, last, over_s = frame_range(part, start_s, end_s, video)
            except AnnotationError as error:
                failed(part, video.path, error)
                continue
            partials = self.root / PARTIAL_NAME
            cut = Cut(
                *(part.question_id, video, first, last, over_s),
                clip=clip,
                frames=frames,
                partials=partials,
                settings=self.settings,
            )
            cuts[cut] = part
        for group in together(list(cuts)):
            waiting = list(group)
            try:
                needed = frozenset().union(*(cut.needed for cut in group))
                for number, picture in video.pictures(group[0].first, max(needed), wanted=needed):
                    tell(number, len(video))
                    for cut in list(waiting):
                        if cut.take(number, picture):
                            waiting.remove(cut)
            except LavisError as error:
                for cut in waiting:
                    cut.abandon(error)
                    failed(cuts[cut], video.path, error)
            except BaseException as error:
                for cut in waiting:
                    cut.abandon(error)
                raise


def together(cuts: list[Cut]) -> Iterator[list[Cut]]:
    """Yield groups of cuts that one pass over the video makes: they overlap or touch, and are not too many."""
    group: list[Cut] = []
    for cut in sorted(cuts, key=lambda one: (one.first, one.last, one.question_id)):
        if group and (len(group) == SIDE_BY_SIDE or cut.first > max(one.last for one in group) + 1):
            yield group
            group = []
        group.append(cut)
    if group:
        yield group


def prepare(
    name: str,
    benchmark: Benchmark,
    root: Path,
    *,
    unit: Unit | None = None,
    settings: CutSettings | None = None,
    annotations: Path | None = None,
    n_workers: int = 1,
) -> Prepared:
    """Make the clips and frames of every question that are not there yet.

    Args:
        name: of the benchmark.
        benchmark: how it is laid out.
        root: its folder.
        unit: of starts and ends; None takes the benchmark's.
        settings: how clips and frames are made.
        annotations: folder of the annotation files; None is ``root``.
        n_workers: processes.

    Raises:
        AnnotationError: no annotation file, or one that holds no list.
        ConfigError: clips and frames were made with other settings, or another start is at work.
        RunStoppedError: the disk is full.
    """
    unit, settings = unit or benchmark.unit, settings or CutSettings()
    parts, bad_records = read_parts(annotations or root, benchmark)
    made = {"unit": unit, "fps": str(settings.fps), "fps_rule": settings.rule, "quality": settings.quality}
    owned = [folder for camera in benchmark.cameras for folder in (camera.clips, camera.frames)]
    record = f"prepared_{name}.json"
    keep_settings(root, {**made, "crf": settings.crf}, {}, name=record, owned=owned)
    lease = Lease(root / f".{record}.running")
    try:
        failures = Failures(root)
        for failure in bad_records:
            failures.add(failure)
        work = PrepareWork(root, benchmark, unit, settings)
        todo: list[Part] = []
        for part in parts:
            try:
                wanted = [target for camera in benchmark.cameras for target in work.targets(part, camera)]
            except AnnotationError as error:
                failures.add(_failure(part, root, str(error)))
                continue
            todo += [part] if any(wanted) else []
        failed_before = len(failures)
        n_kept = len(parts) + len(bad_records) - failed_before - len(todo)
        progress = ExtractProgress(len(todo), kept=0, noun="questions", unit="questions")
        failed_ids: set[str] = set()
        jobs = recordings(todo)
        n_workers = max(1, min(n_workers, len(jobs)))
        n_threads = max(1, usable_cores() // n_workers)
        for event in run_jobs(work, jobs, n_workers=n_workers, n_threads=n_threads, idle=progress.show):
            if event.kind == "told":
                continue
            found = event.value
            if event.kind == "failed":
                found = [_failure(part, root / part.video_id, event.value) for part in event.job.parts]
            for failure in found:
                failures.add(failure)
                logger.warning("Failed: %s", failure["reason"])
                failed_ids.add(failure["question_id"])
            for part in event.job.parts:
                progress.ended(part.question_id, n_frames=1, failed=part.question_id in failed_ids)
        progress.close()
        tidy(root / PARTIAL_NAME)
    finally:
        lease.give_back()
    return Prepared(n_kept, len(todo) - len(failed_ids), failed_before + len(failed_ids))


def recordings(parts: list[Part]) -> list[Recording]:
    """Group parts by recording, in the order in which the recordings first appear."""
    by_id: dict[str, list[Part]] = {}
    for part in parts:
        by_id.setdefault(part.video_id, []).append(part)
    return [Recording(video_id, tuple(found)) for video_id, found in by_id.items()]


def _failure(part: Part, path: Path, reason: str) -> dict[str, str]:
    return {"question_id": part.question_id, "video_id": part.video_id, "file": os.fspath(path), "reason": reason}
