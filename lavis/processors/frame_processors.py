"""Pictures and clips as BLIP's vision encoder takes them: resized, scaled to [0, 1], normalised.

``Frames*`` put time first, ``Video*`` the channels, as the names do in CREMA; a single picture
goes through ``Frames*`` and has no time axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from lavis.processors.base_processor import BaseProcessor, option

# OpenAI CLIP's statistics; CREMA uses them for every modality that is stored as pictures.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
EVAL_SIZE_PX = 256
TRAIN_SIZE_PX = 364
CROP_ATTEMPTS = 10

Processor = TypeVar("Processor", bound="FramesEvalProcessor")


@dataclasses.dataclass(frozen=True)
class Crop:
    """A box in fractions of the picture, so that one draw fits modalities of different resolution."""

    top: float
    left: float
    height: float
    width: float

    def box_px(self, height_px: int, width_px: int) -> tuple[int, int, int, int]:
        """Return (top, left, bottom, right) in pixels; at least one pixel, never outside."""
        top = min(round(self.top * height_px), height_px - 1)
        left = min(round(self.left * width_px), width_px - 1)
        bottom = min(max(round((self.top + self.height) * height_px), top + 1), height_px)
        right = min(max(round((self.left + self.width) * width_px), left + 1), width_px)
        return top, left, bottom, right


def draw_crop(
    height_px: int,
    width_px: int,
    *,
    scale: tuple[float, float] = (0.5, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    generator: torch.Generator | None = None,
) -> Crop:
    """Draw a box of random area and aspect, the way Inception's training did.

    Args:
        height_px: height of the picture.
        width_px: width of the picture.
        scale: share of the picture's area, from and to.
        ratio: width / height of the box, from and to; drawn evenly in its logarithm.
        generator: where the numbers come from; None is torch's own, which workers seed.

    Returns:
        The box; the centred largest box of an allowed aspect when no draw fits.
    """

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    aspect = width_px / height_px
    for _ in range(CROP_ATTEMPTS):
        share = uniform(*scale)
        drawn = float(np.exp(uniform(float(np.log(ratio[0])), float(np.log(ratio[1])))))
        width = (share * drawn / aspect) ** 0.5
        height = (share * aspect / drawn) ** 0.5
        if width <= 1 and height <= 1:
            return Crop(uniform(0.0, 1.0 - height), uniform(0.0, 1.0 - width), height, width)
    fitted = min(max(aspect, ratio[0]), ratio[1])
    width, height = (fitted / aspect, 1.0) if fitted < aspect else (1.0, aspect / fitted)
    return Crop((1.0 - height) / 2, (1.0 - width) / 2, height, width)


class FramesEvalProcessor(BaseProcessor):
    """Resizes and normalises without chance.

    Args:
        image_size: side of the square output in px; input of that size is not resampled.
        mean: subtracted per channel after scaling to [0, 1].
        std: divided by per channel.
        n_frms: frames a loader should sample, for data sets that ask; None where they decide.
    """

    is_repeatable: ClassVar[bool] = True
    channels_first: ClassVar[bool] = False
    default_size_px: ClassVar[int] = EVAL_SIZE_PX

    def __init__(
        self,
        image_size: int | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        n_frms: int | None = None,
    ) -> None:
        super().__init__()
        self.image_size = self.default_size_px if image_size is None else image_size
        self.mean = torch.tensor(tuple(mean)).view(1, -1, 1, 1)
        self.std = torch.tensor(tuple(std)).view(1, -1, 1, 1)
        self.n_frms = n_frms

    def __call__(self, item: Any) -> torch.Tensor:
        """Process a picture or a clip.

        Args:
            item: clip [t, h, w, 3] or picture [h, w, 3], uint8, array or tensor; or a PIL picture.

        Returns:
            float32 [t, 3, s, s] (``Frames*``), [3, t, s, s] (``Video*``) or [3, s, s] for a picture.

        Raises:
            ValueError: another dtype or shape.
        """
        clip, is_picture = to_clip(item)
        return self.finish(clip, is_picture)

    def finish(self, clip: torch.Tensor, is_picture: bool) -> torch.Tensor:
        """Resize, scale, normalise and order the axes of a clip [t, 3, h, w] in 0 … 255."""
        normal = (resize(clip, self.image_size) / 255.0 - self.mean) / self.std
        if is_picture:
            return normal[0]
        return normal.transpose(0, 1).contiguous() if self.channels_first else normal

    @classmethod
    def from_config(cls: type[Processor], cfg: Any = None) -> Processor:
        """Read ``image_size``, ``mean``, ``std``, ``n_frms``."""
        return cls(**cls.options(cfg))

    @classmethod
    def options(cls, cfg: Any) -> dict[str, Any]:
        """Return the constructor's arguments that a configuration node gives."""
        n_frms = option(cfg, "n_frms", None)
        return {
            "image_size": int(option(cfg, "image_size", cls.default_size_px)),
            "mean": tuple(option(cfg, "mean", MEAN)),
            "std": tuple(option(cfg, "std", STD)),
            "n_frms": None if n_frms is None else int(n_frms),
        }


class FramesTrainProcessor(FramesEvalProcessor):
    """Crops at random before it resizes and normalises.

    One sample has one crop: draw it with :meth:`draw` and hand it to the processor of every
    modality (:class:`Aligned` does), or depth no longer lies on the picture it belongs to.

    Args:
        min_scale: smallest share of the picture's area that is kept.
        max_scale: largest share.
        generator: where crops come from; None is torch's own.
    """

    is_repeatable: ClassVar[bool] = False
    default_size_px: ClassVar[int] = TRAIN_SIZE_PX

    def __init__(
        self,
        image_size: int | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        n_frms: int | None = None,
        min_scale: float = 0.5,
        max_scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(image_size, mean, std, n_frms)
        self.scale = (min_scale, max_scale)
        self.generator = generator

    def draw(self, item: Any, generator: torch.Generator | None = None) -> Crop:
        """Draw the crop of one sample from the aspect of one of its modalities."""
        clip, _ = to_clip(item)
        return draw_crop(clip.shape[2], clip.shape[3], scale=self.scale, generator=generator or self.generator)

    def __call__(self, item: Any, crop: Crop | None = None) -> torch.Tensor:
        """Process a picture or a clip; every frame is cropped alike.

        Args:
            item: as for evaluation.
            crop: the sample's crop; None draws one.
        """
        clip, is_picture = to_clip(item)
        top, left, bottom, right = (crop or self.draw(item)).box_px(clip.shape[2], clip.shape[3])
        return self.finish(clip[:, :, top:bottom, left:right], is_picture)

    @classmethod
    def options(cls, cfg: Any) -> dict[str, Any]:
        """Return the constructor's arguments; ``seed`` gives the processor a generator of its own."""
        seed = option(cfg, "seed", None)
        return super().options(cfg) | {
            "min_scale": float(option(cfg, "min_scale", 0.5)),
            "max_scale": float(option(cfg, "max_scale", 1.0)),
            "generator": None if seed is None else torch.Generator().manual_seed(int(seed)),
        }


class VideoEvalProcessor(FramesEvalProcessor):
    """As ``FramesEvalProcessor``, channels before time."""

    channels_first: ClassVar[bool] = True


class VideoTrainProcessor(FramesTrainProcessor):
    """As ``FramesTrainProcessor``, channels before time."""

    channels_first: ClassVar[bool] = True


class Aligned:
    """The processors of one sample's modalities; those that crop share one crop.

    Args:
        processors: the processor of each modality; None for none.
        generator: where the crop comes from; None is the first cropping processor's own.
    """

    def __init__(self, processors: Mapping[str, Any], generator: torch.Generator | None = None) -> None:
        self.processors = processors
        self.generator = generator
        self._crop: Crop | None = None

    def __getitem__(self, modality: str) -> Any:
        """Return a modality's processor, which takes what was loaded and nothing else."""
        processor = self.processors[modality]
        return partial(self._cropped, processor) if isinstance(processor, FramesTrainProcessor) else processor

    def _cropped(self, processor: FramesTrainProcessor, item: Any) -> torch.Tensor:
        self._crop = self._crop or processor.draw(item, self.generator)
        return processor(item, self._crop)


def to_clip(item: Any) -> tuple[torch.Tensor, bool]:
    """Return (clip [t, 3, h, w] float32 in 0 … 255, whether it was a single picture)."""
    if isinstance(item, Image.Image):
        item = np.array(item.convert("RGB"))
    frames = torch.as_tensor(item)
    is_picture = frames.ndim == 3
    if frames.dtype != torch.uint8 or frames.ndim not in (3, 4) or frames.shape[-1] != 3 or not frames.numel():
        raise ValueError(
            f"Frames are uint8 [t, h, w, 3] or [h, w, 3]; these are {frames.dtype} {tuple(frames.shape)}."
            " Convert them to 8-bit RGB in the loader."
        )
    clip = frames.unsqueeze(0) if is_picture else frames
    return clip.permute(0, 3, 1, 2).float(), is_picture


def resize(clip: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resample a clip [t, c, h, w] to a square, bicubic, without leaving 0 … 255."""
    if clip.shape[-2:] == (size_px, size_px):
        return clip
    wide = F.interpolate(clip, size=(size_px, size_px), mode="bicubic", align_corners=False, antialias=True)
    return wide.clamp(0.0, 255.0)  # bicubic overshoots at edges; as 8-bit that would wrap around
