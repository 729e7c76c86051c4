"""The resumable loop: each medium is written under a temporary name, read back, and renamed."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.cores import usable_cores
from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.extract.base import Extractor, Made
from lavis.extract.media import Medium, share_of_rank
from lavis.extract.progress import ExtractProgress
from lavis.extract.record import PARTIAL_NAME, Failures, keep_settings, tidy, written_whole
from lavis.extract.workers import Tell, run_jobs
from lavis.runners.lease import Lease

logger = logging.getLogger(__name__)

CLIPPED_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of the media of one rank: how many were finished before, are finished now, and failed."""

    kept: int
    done: int
    failed: int


class ExtractWork:
    """Extracts one medium after the other in a worker process.

    Args:
        name: of the extractor in the registry.
        options: of the extractor.
        out: where the media go.
        verify: read each medium back before it counts.
    """

    def __init__(self, name: str, options: Mapping[str, Any], out: Path, *, verify: bool = True) -> None:
        self.name = name
        self.options = dict(options)
        self.out = out
        self.verify = verify
        self._extractor: Extractor | None = None

    def prepare(self, n_threads: int) -> None:
        """Make the extractor, and hold it to its share of the cores."""
        import cv2

        cv2.setNumThreads(n_threads)
        self._extractor = registry.require("extractor", self.name)(**self.options)
        self._extractor.use_threads(n_threads)

    def do(self, job: Medium, tell: Tell) -> Made:
        """Extract one medium."""
        if self._extractor is None:
            raise ConfigError("prepare() comes before do().")
        return extract_medium(self._extractor, job, self.out, verify=self.verify, tell=tell)


def extract_medium(
    extractor: Extractor, medium: Medium, out: Path, *, verify: bool = True, tell: Tell = lambda done, total: None
) -> Made:
    """Write one medium below ``out``, whole or not at all.

    Raises:
        ModalityError: the medium cannot be read, or not be read back.
    """
    with written_whole(out / (medium.media_id + extractor.suffix), out / PARTIAL_NAME) as partial:
        made = extractor.write(medium, partial, tell)
        if verify:
            extractor.check(made, partial, media_id=medium.media_id)
    return made


def extract_all(
    name: str,
    options: Mapping[str, Any],
    media: Sequence[Medium],
    out: Path,
    *,
    verify: bool = True,
    n_workers: int = 1,
    rank: int = 0,
    world_size: int = 1,
) -> Outcome:
    """Extract this rank's share of the media that are not finished yet.

    Args:
        name: of the extractor in the registry.
        options: of the extractor.
        media: all media, of all ranks.
        out: where the media go.
        verify: read each medium back before it counts.
        n_workers: processes of this rank.
        rank: which share, of
        world_size: how many.

    Raises:
        ConfigError: an option that cannot work, other settings than the folder's, or another start is at work.
        RunStoppedError: the disk is full.
    """
    extractor: Extractor = registry.require("extractor", name)(**options)
    described = {"modality": name, **extractor.settings()}
    keep_settings(out, described, _for_readers(extractor))
    lease = _lease(out, rank)
    try:
        mine = share_of_rank(list(media), rank=rank, world_size=world_size)
        todo = [medium for medium in mine if not (out / (medium.media_id + extractor.suffix)).exists()]
        failures = Failures(out, rank=rank, world_size=world_size)
        progress = ExtractProgress(len(mine), kept=len(mine) - len(todo), unit=extractor.counts)
        work = ExtractWork(name, options, out, verify=verify)
        n_workers = max(1, min(n_workers, len(todo)))
        events = run_jobs(
            work, todo, n_workers=n_workers, n_threads=max(1, usable_cores() // n_workers), idle=progress.show
        )
        for event in events:
            medium = event.job
            if event.kind == "told":
                progress.told(medium.media_id, *event.value)
            elif event.kind == "failed":
                failures.add({"id": medium.media_id, "file": str(medium.path), "reason": event.value})
                logger.warning("Failed: %s", event.value)
                progress.ended(medium.media_id, n_frames=0, failed=True)
            else:
                _tell_notes(medium, event.value)
                progress.ended(medium.media_id, n_frames=event.value.n_frames, failed=False)
        progress.close()
        tidy(out / PARTIAL_NAME)
    finally:
        lease.give_back()
    return Outcome(len(mine) - len(todo), len(todo) - len(failures), len(failures))


def _for_readers(extractor: Extractor) -> dict[str, Any]:
    loader: dict[str, Any] = {"name": extractor.loader_name, "options": dict(extractor.loader_options)}
    return {"loader": loader, "medium_suffix": extractor.suffix}


def _lease(out: Path, rank: int) -> Lease:
    try:
        return Lease(out / f".running.rank{rank}.json")
    except ConfigError as error:
        raise ConfigError(
            f"{out}: another start is extracting to it as rank {rank}; wait for it or stop it."
        ) from error


def _tell_notes(medium: Medium, made: Made) -> None:
    if made.notes.get("clipped_share", 0.0) > CLIPPED_SHARE:
        logger.warning(
            "%s: %.1f %% of its flow is beyond range_px and was clipped; widen --range-px or store floats.",
            medium.media_id,
            100 * made.notes["clipped_share"],
        )
