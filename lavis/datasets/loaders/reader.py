"""A medium opened for experts: sampling decided once, every modality loaded at most once."""

from __future__ import annotations

from typing import Any

from lavis.common.errors import ModalityError
from lavis.common.registry import registry
from lavis.datasets.loaders.base import Loader, Sampling
from lavis.datasets.loaders.clip_cache import ClipCache
from lavis.datasets.loaders.sampling import interval_midpoints
from lavis.datasets.question import Media

# The modality that decides the sampling is the first of these that the medium has.
TIME_KEEPERS = ("frame", "video", "touch", "thermal", "depth", "norm", "flow")


def time_keeper(media: Media) -> str | None:
    """Return the modality whose frames are counted where a medium is sampled; None where it has none with frames."""
    return next((name for name in TIME_KEEPERS if name in media.sources), None)


def sampled_by(media: Media) -> dict[str, str]:
    """Return what of a medium, beside its files, decides which of its frames are looked at."""
    keeper, span = time_keeper(media), media.side.get("span")
    flow = {"shortened_by": "flow"} if "flow" in media.sources else {}
    return {**({"keeper": keeper} if keeper else {}), **flow, **({} if span is None else {"span": str(span)})}


class MediaReader:
    """Loads the modalities of one medium, aligned in time.

    Args:
        media: the medium.
        n_frames: frames looked at per clip.
        modalities: options per loader by modality name (``{"depth": {"scale_m": 0.001}}``).
        cache: keeps clips for the next reader of the same medium; None keeps none.
        sampling: the frames to look at, where an earlier reader of the medium has decided them.

    Attributes:
        sampled: the frames that were looked at, once they are decided.
    """

    def __init__(
        self,
        media: Media,
        *,
        n_frames: int = 8,
        modalities: dict[str, dict[str, Any]] | None = None,
        cache: ClipCache | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.media = media
        self.n_frames = n_frames
        self.options = modalities or {}
        self.opened: list[str] = []
        self.sampled = sampling
        self.cache = cache
        self._loaded: dict[str, Any] = {}

    def load(self, modality: str) -> Any:
        """Return what the loader of the modality (or of what stands in for it) returns, reading it once.

        Raises:
            ModalityError: the medium has no such modality, or it cannot be read.
        """
        serving = self.media.serving(modality)
        if serving is None:
            raise ModalityError(f"medium {self.media.media_id!r} has no {modality!r} source.")
        modality = serving
        if modality not in self._loaded:
            path = self.media.sources[modality]
            loader = self._loader(modality)
            sampling = self.sampling() if loader.timed else None
            self.opened.append(modality)
            if self.cache is None:
                self._loaded[modality] = loader.load(path, media_id=self.media.media_id, sampling=sampling)
            else:
                self._loaded[modality] = self.cache.load(path, loader, sampling, media_id=self.media.media_id)
        return self._loaded[modality]

    def holds(self, modality: str) -> bool:
        """Return whether the medium has a modality, and something lies where it should be."""
        serving = self.media.serving(modality)
        if serving is None:
            return False
        loader: type[Loader] = registry.require("loader", serving)
        return loader.present(self.media.sources[serving], media_id=self.media.media_id)

    def sampling(self) -> Sampling:
        """Return the frames to look at: the reference's interval midpoints over the medium, or over its span.

        Raises:
            ModalityError: the medium has no frames.
        """
        if self.sampled is None:
            keeper = time_keeper(self.media)
            if keeper is None:
                raise ModalityError(f"medium {self.media.media_id!r} has no modality with frames to sample.")
            loader, path = self._loader(keeper), self.media.sources[keeper]
            count, rate_hz = loader.count(path, media_id=self.media.media_id)
            first, last = 0, count
            span = self.media.side.get("span")
            if span is not None:
                first, last = span.frames(count, rate_hz, media_id=self.media.media_id)
            # A few pictures that are no film are all looked at; flow has one file fewer than there are frames.
            if rate_hz is None and last - first <= self.n_frames and "flow" not in self.media.sources:
                indices = tuple(range(first, last))
            else:
                indices = tuple(first + index for index in interval_midpoints(last - first, self.n_frames))
            times = loader.times_s(path, indices, media_id=self.media.media_id, rate_hz=rate_hz)
            self.sampled = Sampling(indices, times, rate_hz)
        return self.sampled

    def _loader(self, modality: str) -> Loader:
        loader: Loader = registry.require("loader", modality).from_options(self.options.get(modality, {}))
        return loader
