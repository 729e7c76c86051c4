"""What frozen parts made of a medium, kept for further questions on it: least recently used first out, by bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from lavis.common.bounded_cache import BoundedCache
from lavis.models.crema_models.network import Frozen


class FeatureCache:
    """Keeps features by key, on the device where they were made.

    Args:
        max_bytes: of all features; 0 keeps nothing.

    Attributes:
        hits, misses: what was found, and what had to be computed.
    """

    def __init__(self, max_bytes: int) -> None:
        self.hits = self.misses = 0
        self._kept: BoundedCache[Frozen] = BoundedCache(max_bytes, _size)

    @property
    def is_on(self) -> bool:
        """Whether it keeps anything."""
        return self._kept.max_bytes > 0

    @property
    def n_bytes(self) -> int:
        """What is kept, bytes."""
        return self._kept.n_bytes

    def get(self, key: Hashable, compute: Callable[[], Frozen]) -> Frozen:
        """Return the features of a key, computed if they are not there."""
        found = self._kept.get(key)
        if found is not None:
            self.hits += 1
            return found
        self.misses += 1
        made = compute()
        self._kept.put(key, made)
        return made

    def clear(self) -> None:
        """Forget everything: what made the features has changed."""
        self._kept.clear()


def by_medium(
    samples: Mapping[str, Any],
    keys: Sequence[str],
    name: str,
    cache: FeatureCache,
    compute: Callable[[Mapping[str, Any]], Frozen],
) -> Frozen:
    """Return a modality's features of a batch, each medium computed by itself, so that its batch changes nothing.

    Args:
        samples: the batch.
        keys: the medium of each sample, as it was sampled.
        name: of the modality, and of what is kept of it.
        cache: keeps them.
        compute: a batch of one sample → its features.
    """
    rows: dict[str, Frozen] = {}  # a cache that is too small for a batch must not compute a medium twice in it
    for number, key in enumerate(keys):
        if key not in rows:
            rows[key] = cache.get((key, name), partial(_compute_one, compute, samples, number, len(keys)))
    parts = [rows[key] for key in keys]
    masks = [part.mask for part in parts if part.mask is not None]
    mask = torch.cat(masks) if len(masks) == len(parts) else None
    return Frozen(torch.cat([part.tokens for part in parts]), mask)


def _compute_one(
    compute: Callable[[Mapping[str, Any]], Frozen], samples: Mapping[str, Any], number: int, batch: int
) -> Frozen:
    return compute(one_sample(samples, number, batch))


def one_sample(samples: Mapping[str, Any], number: int, batch: int) -> dict[str, Any]:
    """Return one sample of a batch as a batch of one."""
    return {
        name: value[number : number + 1]
        for name, value in samples.items()
        if isinstance(value, torch.Tensor | list) and len(value) == batch
    }


def _size(features: Frozen) -> int:
    return sum(part.nbytes for part in (features.tokens, features.mask) if part is not None)
