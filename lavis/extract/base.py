"""What an extractor is: it turns one medium into the files of one modality."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.errors import ConfigError, ModalityError
from lavis.common.registry import registry
from lavis.datasets.loaders.base import Array, Loader, Sampling
from lavis.datasets.loaders.frames import check_size
from lavis.datasets.loaders.sequence import IMAGE_SUFFIXES
from lavis.datasets.loaders.video import VIDEO_SUFFIXES
from lavis.extract.layouts import Layout, open_sink, unpack_some
from lavis.extract.media import Medium
from lavis.extract.pipeline import Behind, ahead
from lavis.extract.resample import as_fps, check_rule
from lavis.extract.source import Pictures, Sampler

Report = Callable[[int, int], None]
AHEAD = 8
BEHIND = 8


@dataclasses.dataclass(frozen=True)
class Made:
    """What became of one medium.

    Attributes:
        n_frames: that its loader must count.
        notes: what a person should know, by name (``clipped_share``).
    """

    n_frames: int
    notes: Mapping[str, float] = dataclasses.field(default_factory=dict)


class Extractor(abc.ABC):
    """Writes one modality of one medium. Options are keyword-only parameters of ``__init__``.

    A subclass sets ``loader_name`` (whose loader reads the files back), which media it takes (``files``,
    ``folders``: suffixes), and writes :meth:`write` and :meth:`settings`.
    """

    loader_name: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = VIDEO_SUFFIXES
    folders: ClassVar[tuple[str, ...]] = IMAGE_SUFFIXES
    counts: ClassVar[str] = "frames"
    suffix: str = ""
    loader_options: Mapping[str, Any]

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold, as JSON values."""

    def use_threads(self, n_threads: int) -> None:
        """Be held to so many threads, where the extractor starts any of its own."""
        return

    @abc.abstractmethod
    def write(self, medium: Medium, target: Path, report: Report) -> Made:
        """Write a medium to ``target``, which does not exist yet.

        Args:
            medium: the medium.
            target: a folder or a file, by ``suffix``.
            report: is told (frames done, frames in all) now and then.

        Raises:
            ModalityError: the medium cannot be read; names medium and path.
        """

    def check(self, made: Made, target: Path, *, media_id: str) -> None:
        """Read a written medium back through its loader: its count, and its first, middle and last frame.

        Raises:
            ModalityError: it cannot be read back, or has another number of frames.
        """
        loader: Loader = registry.require("loader", self.loader_name).from_options(self.loader_options)
        count, _ = loader.count(target, media_id=media_id)
        self.same(count, made.n_frames, target, media_id=media_id)
        loader.load(target, media_id=media_id, sampling=Sampling(tuple(sorted({0, count // 2, count - 1}))))

    def same(self, n_read: int, n_written: int, target: Path, *, media_id: str) -> None:
        """Compare what is read back with what was written.

        Raises:
            ModalityError: they differ.
        """
        if n_read != n_written:
            raise ModalityError(
                f"{media_id}: {n_written} {self.counts} were written to {target} and {n_read} are read back; look "
                f"whether the disk is full, and extract it again."
            )


class MapExtractor(Extractor):
    """An extractor that makes a map for each picture: decodes ahead, computes, writes behind.

    A subclass writes :meth:`layouts` and :meth:`maps`.

    Args:
        layout: a name of :meth:`layouts`; None takes the first.
        fps: pictures per s, or ``all`` for every frame.
        fps_rule: which frame stands for a time: ``shown`` at it, or as ``ffmpeg`` rounds.
        rate_hz: frames per s of media that are folders.
        size_px: (height, width) that pictures are brought to first.
    """

    # How many files fewer than pictures a medium has.
    missing_files: ClassVar[int] = 0

    def __init__(
        self,
        *,
        layout: str | None = None,
        fps: float | str = "all",
        fps_rule: str = "shown",
        rate_hz: float | None = None,
        size_px: Sequence[int] | None = None,
    ) -> None:
        if rate_hz is not None and not rate_hz > 0:
            raise ConfigError(f"{self.loader_name}: rate_hz must be above 0, not {rate_hz}.")
        self.sampler = Sampler(
            fps=None if fps == "all" else as_fps(fps),
            rule=check_rule(fps_rule),
            rate_hz=rate_hz,
            size_px=check_size(size_px, modality=self.loader_name),
        )
        known = self.layouts()
        self.layout_name = layout or next(iter(known))
        if self.layout_name not in known:
            raise ConfigError(f"{self.loader_name}: layout {layout!r} is not known; use one of {', '.join(known)}.")
        self.layout: Layout = known[self.layout_name]
        self.suffix = self.layout.medium_suffix
        self.loader_options = self.layout.loader
        self.notes: defaultdict[str, float] = defaultdict(float)

    @abc.abstractmethod
    def layouts(self) -> dict[str, Layout]:
        """Return the ways to store this modality by name; the first is the default."""

    @abc.abstractmethod
    def maps(self, pictures: Iterator[Array], *, media_id: str) -> Iterator[Array]:
        """Turn the pictures of a medium into its maps, in order."""

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold."""
        sampler = self.sampler
        return {
            "layout": self.layout_name,
            "fps": "all" if sampler.fps is None else str(sampler.fps),
            "fps_rule": sampler.rule,
            "rate_hz": sampler.rate_hz,
            "size_px": None if sampler.size_px is None else list(sampler.size_px),
        }

    def use_threads(self, n_threads: int) -> None:
        """Decode with so many threads."""
        self.sampler = dataclasses.replace(self.sampler, n_threads=n_threads)

    def open(self, medium: Medium) -> Pictures:
        """Look at what the maps are made of."""
        return self.sampler.open(medium.path, media_id=medium.media_id)

    def write(self, medium: Medium, target: Path, report: Report) -> Made:
        """Write one file per map."""
        pictures = self.open(medium)
        n_files = pictures.count - self.missing_files
        if n_files < 1:
            raise ModalityError(
                f"{medium.media_id}: {medium.path} has {pictures.count} frame; {self.loader_name} needs two."
            )
        self.notes.clear()
        done = 0
        with contextlib.closing(open_sink(self.layout, target, medium.media_id)) as sink:
            with contextlib.closing(ahead(pictures.read(), depth=AHEAD)) as decoded:
                with Behind[Array](lambda one: sink.write(self.layout.encode(one)), depth=BEHIND) as behind:
                    for one in self.maps(decoded, media_id=medium.media_id):
                        behind.put(one)
                        done += 1
                        report(done, n_files)
        if done != n_files:
            raise ModalityError(f"{medium.media_id}: {medium.path} gave {done} maps, not {n_files}.")
        return Made(pictures.count, {name: self.notes[name] / n_files for name in sorted(self.notes)})

    def check(self, made: Made, target: Path, *, media_id: str) -> None:
        """Read a written medium back; of a tar, its number of files, and three of them through the loader."""
        if not self.layout.packed:
            super().check(made, target, media_id=media_id)
            return
        folder = target.with_name(f"{target.name}.check")
        n_files = unpack_some(target, folder)
        self.same(n_files, made.n_frames - self.missing_files, target, media_id=media_id)
        shown = min(n_files, 3) + self.missing_files
        super().check(Made(shown), folder, media_id=media_id)
