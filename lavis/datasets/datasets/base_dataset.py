"""What a LAVIS data set is: records of annotation files, and how their samples become a batch.

Both classes are map-style data sets by shape (``__len__``, ``__getitem__``), which is all that
torch's DataLoader asks for; they do not inherit torch's, so that reading annotations stays light.
"""

from __future__ import annotations

import bisect
import itertools
import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any

from lavis.datasets.datasets.annotations import Record, read_annotations
from lavis.processors.base_processor import BaseProcessor

Processor = BaseProcessor | Any
Sample = dict[str, Any]

logger = logging.getLogger(__name__)


class BaseDataset:
    """Records of one or more annotation files, numbered by ``instance_id``.

    Args:
        vis_processor: for pictures and clips; a subclass applies it.
        text_processor: for texts.
        vis_root: folder of the media.
        ann_paths: annotation files; their records are joined in this order.
        modality_type: CREMA's name for the modalities of a record.

    Raises:
        AnnotationError: a file cannot be read as records.
    """

    def __init__(
        self,
        vis_processor: Processor = None,
        text_processor: Processor = None,
        vis_root: str | None = None,
        ann_paths: Sequence[str | os.PathLike[str]] = (),
        modality_type: str | None = None,
    ) -> None:
        self.vis_processor = vis_processor
        self.text_processor = text_processor
        self.vis_root = vis_root
        self.modality_type = modality_type
        self.annotation: list[Record] = []
        for path in ann_paths:
            self.annotation.extend(read_annotations(path))
        self._add_instance_ids()

    def __len__(self) -> int:
        return len(self.annotation)

    def __getitem__(self, index: int) -> Any:
        """Return the record itself; a subclass returns a sample."""
        return self.annotation[index]

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])

    def set_processors(self, vis_processor: Processor, text_processor: Processor) -> None:
        """Replace both processors."""
        self.vis_processor = vis_processor
        self.text_processor = text_processor

    def _add_instance_ids(self, key: str = "instance_id") -> None:
        for index, record in enumerate(self.annotation):
            record[key] = str(index)

    def collater(self, samples: Sequence[Sample | None]) -> Sample:
        """Make a batch: tensors are stacked, everything else is listed.

        One tensor that all samples share is not copied: the batch then shows it several times and cannot be written
        into.

        Args:
            samples: what ``__getitem__`` returned; None means that there is nothing to use, and is
                left out with a warning.

        Returns:
            The batch by the keys of the first sample; ``{}`` where no sample is left.

        Raises:
            ValueError: the samples do not have the same keys, or tensors of one key not the same
                shape; names the key and the samples.
        """
        kept = [sample for sample in samples if sample is not None]
        if len(kept) < len(samples):
            logger.warning("%d of %d samples of a batch are None and left out.", len(samples) - len(kept), len(samples))
        return {key: _column(key, kept) for key in kept[0]} if kept else {}


def _column(key: str, samples: Sequence[Sample]) -> Any:
    import torch

    lacking = [sample for sample in samples if key not in sample]
    if lacking:
        raise ValueError(f"{key!r} is missing in {_names(lacking)} but not in {_names(samples[:1])} of the same batch.")
    values = [sample[key] for sample in samples]
    if not isinstance(values[0], torch.Tensor):
        return values
    if len(values) > 1 and all(value is values[0] for value in values):
        return values[0].expand(len(values), *values[0].shape)
    shapes = {tuple(value.shape) for value in values}
    if len(shapes) > 1:
        raise ValueError(f"{key!r} has shapes {sorted(shapes)} in {_names(samples)}; a batch needs one shape.")
    return torch.stack(values)


def _names(samples: Iterable[Sample]) -> str:
    ids = [sample.get("question_id", sample.get("instance_id", "?")) for sample in samples]
    return "samples " + ", ".join(str(name) for name in ids)


class ConcatDataset:
    """Data sets one after the other; batches may mix them and keep the keys that all samples have."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1] if self.cumulative_sizes else 0

    def __getitem__(self, index: int) -> Any:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"{index} is not one of {len(self)} samples.")
        number = bisect.bisect_right(self.cumulative_sizes, position)
        return self.datasets[number][position - (self.cumulative_sizes[number - 1] if number else 0)]

    def collater(self, samples: Sequence[Sample | None]) -> Any:
        """Make a batch with the first data set's collater out of the keys that all samples share."""
        kept = [sample for sample in samples if sample is not None]
        shared = set.intersection(*(set(sample) for sample in kept)) if kept else set()
        trimmed = [
            None if sample is None else {key: value for key, value in sample.items() if key in shared}
            for sample in samples
        ]
        return self.datasets[0].collater(trimmed)
