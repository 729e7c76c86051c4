"""The order in which a language model reads modalities: prefixes, frames, sound, points."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch

from lavis.models.crema_models.modalities import MAIN, Modality


@dataclasses.dataclass(frozen=True)
class Span:
    """Tokens in a row, and which of them are no padding.

    Attributes:
        tokens: [b, n, width].
        mask: [b, n], 1 or 0.
    """

    tokens: torch.Tensor
    mask: torch.Tensor

    @classmethod
    def whole(cls, tokens: torch.Tensor) -> Span:
        """Return tokens [b, …, width] in one row, none of them padding."""
        row = tokens.flatten(1, -2)
        return cls(row, torch.ones(row.shape[:2], dtype=torch.long, device=row.device))


def joined(spans: Sequence[Span]) -> Span:
    """Return spans one after another."""
    return Span(torch.cat([span.tokens for span in spans], dim=1), torch.cat([span.mask for span in spans], dim=1))


@dataclasses.dataclass(frozen=True)
class Prefixes:
    """Words before tokens, as embeddings with their masks.

    Attributes:
        frames: "Frame 1: " …, [t, p, width] and [t, p].
        sound: "Audio: ", [1, p, width] and [1, p].
        points: "3D Model: ", the same.
    """

    frames: Span
    sound: Span
    points: Span

    def before_frames(self, batch: int) -> Span:
        """Return the prefixes of all frames in one row, for each of a batch."""
        tokens, mask = self.frames.tokens.flatten(0, 1), self.frames.mask.flatten()
        return Span(tokens.expand(batch, -1, -1), mask.expand(batch, -1))


def in_a_row(
    tokens: Mapping[str, torch.Tensor], modalities: Sequence[Modality], prefixes: Prefixes, *, quirks: bool
) -> Span:
    """Lay out modalities that are not fused.

    Frame by frame its prefix and the tokens of every modality that has frames; then sound, which has a prefix
    where there are no frames before it; then points with theirs.

    Args:
        tokens: [b, k, q, width] of every modality: k frames, segments or 1.
        modalities: in order.
        prefixes: the words.
        quirks: as the reference does: no points where there is sound, and sound's prefix before points alone.
    """
    spans: list[Span] = []
    pictures = [tokens[one.name] for one in modalities if one.is_pictures]
    if pictures:
        spans.append(_by_frame(pictures, prefixes))
    sound = [tokens[one.name] for one in modalities if one.spec.source == "sound"]
    for heard in sound:
        spans += [*([] if pictures else [_one(prefixes.sound, len(heard))]), Span.whole(heard)]
    points = [tokens[one.name] for one in modalities if one.spec.source == "points"]
    for cloud in [] if quirks and sound else points:
        alone = quirks and not pictures
        spans += [_one(prefixes.sound if alone else prefixes.points, len(cloud)), Span.whole(cloud)]
    return joined(spans)


def fused(
    tokens: Mapping[str, torch.Tensor], extract: torch.Tensor, prefixes: Prefixes, *, appended: bool, quirks: bool
) -> Span:
    """Lay out frames of rgb with what the other modalities were fused to.

    Args:
        tokens: [b, t, q, width] of rgb.
        extract: the fused tokens, the same shape.
        prefixes: the words.
        appended: the fused tokens follow, after all prefixes once more; else they are added to rgb's.
        quirks: the reference's masks: that of the frames again for what follows, and no padding where it is added.
    """
    main = tokens[MAIN]
    if not appended:
        added = _by_frame([main + extract], prefixes)
        return Span.whole(added.tokens) if quirks else added
    first = _by_frame([main], prefixes)
    second = joined([prefixes.before_frames(len(main)), Span.whole(extract)])
    return joined([first, Span(second.tokens, first.mask) if quirks else second])


def _by_frame(pictures: Sequence[torch.Tensor], prefixes: Prefixes) -> Span:
    """Return prefix and tokens of every frame in one row."""
    batch = len(pictures[0])
    words = prefixes.frames.tokens.expand(batch, -1, -1, -1)
    tokens = torch.cat([words, *pictures], dim=2)
    seen = prefixes.frames.mask.expand(batch, -1, -1)
    ones = torch.ones((*tokens.shape[:2], tokens.shape[2] - seen.shape[2]), dtype=seen.dtype, device=seen.device)
    return Span(tokens.flatten(1, 2), torch.cat([seen, ones], dim=2).flatten(1, 2))


def _one(prefix: Span, batch: int) -> Span:
    return Span(prefix.tokens.expand(batch, -1, -1), prefix.mask.expand(batch, -1))
