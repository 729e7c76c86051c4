"""Turns: one modality learns after another on the same batches, whose frozen features are computed once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lavis.models.crema_models.network import Frozen

# Keys of a batch beside the data set's.
TURN, FROZEN, ENDS_STEP = "turn", "frozen", "ends_step"


class Turns:
    """Batches of a loader, each once for every modality that learns.

    So many batches as make a step of the optimizer are taken together; then each modality has them in turn and steps
    by itself. Frozen encoders see every batch once, however many modalities learn.

    Args:
        batches: of a loader.
        encode: batch → what the frozen encoders make of it.
        modalities: that learn, in order.
        n_accumulated: batches per step of the optimizer.
        prepare: brings a batch to the model's device.
    """

    def __init__(
        self,
        batches: Iterable[Any],
        encode: Callable[[Mapping[str, Any]], Mapping[str, Frozen]],
        modalities: Sequence[str],
        *,
        n_accumulated: int = 1,
        prepare: Callable[[Any], Any] = lambda batch: batch,
    ) -> None:
        self.batches = batches
        self.encode = encode
        self.modalities = tuple(modalities)
        self.n_accumulated = n_accumulated
        self.prepare = prepare

    def __iter__(self) -> Iterator[Any]:
        """Yield batches with ``turn``, ``frozen`` and, on the last of a step, ``ends_step``.

        A batch without samples comes once, as it is.
        """
        batches = iter(self.batches)
        while window := list(itertools.islice(batches, self.n_accumulated)):
            yield from (batch for batch in window if not batch)
            prepared = [self.prepare(batch) for batch in window if batch]
            frozen = [self.encode(batch) for batch in prepared]
            for name in self.modalities:
                for number, (batch, features) in enumerate(zip(prepared, frozen, strict=True), start=1):
                    yield {**batch, TURN: name, FROZEN: features, ENDS_STEP: number == len(prepared)}
