"""Names what a whole picture shows: EfficientNet-lite3 on ImageNet's 1000 classes, through LiteRT."""

from __future__ import annotations

import dataclasses
import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lavis.common.errors import WeightsError

WEIGHTS = "efficientnet_lite3_imagenet"
LABELS = "imagenet_labels"
PACKAGE = "ai_edge_litert"
N_CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class Tag:
    """One class for a whole picture.

    Attributes:
        name: ImageNet's name of it, the first of its synonyms.
        confidence: 0 … 1.
    """

    name: str
    confidence: float


class Tagger:
    """A classifier whose interpreter is shared by the threads of a process.

    Args:
        weights: TFLite flatbuffer.
        labels: one line of synonyms per class.
    """

    def __init__(self, weights: Path, labels: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

        self.names = [line.split(",")[0].strip() for line in labels.read_text(encoding="utf-8").splitlines()]
        if len(self.names) != N_CLASSES:
            raise WeightsError(f"{labels} names {len(self.names)} classes, the tagger has {N_CLASSES}.")
        # One thread: the sums of several are not promised to be in one order.
        self._interpreter: Any = Interpreter(model_path=str(weights), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input: dict[str, Any] = self._interpreter.get_input_details()[0]
        self._output: dict[str, Any] = self._interpreter.get_output_details()[0]
        self._lock = threading.Lock()  # an interpreter keeps its input and output inside itself

    def tag(self, picture: npt.NDArray[np.uint8], *, min_confidence: float, max_tags: int) -> tuple[Tag, ...]:
        """Return what a picture shows, the most certain first.

        Args:
            picture: [h, w, 3] uint8 RGB, not empty; it is squeezed into a square.
            min_confidence: what is less certain is left out.
            max_tags: at most so many.
        """
        import cv2

        _, height, width, _ = self._input["shape"]
        small = cv2.resize(np.ascontiguousarray(picture), (int(width), int(height)), interpolation=cv2.INTER_AREA)
        with self._lock:
            self._interpreter.set_tensor(self._input["index"], small[None])
            self._interpreter.invoke()
            raw = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero = self._output["quantization"]
        shares = (raw.astype(np.float64) - zero) * scale
        order = np.argsort(-shares, kind="stable")[:max_tags]
        return tuple(Tag(self.names[k], round(float(shares[k]), 2)) for k in order if shares[k] >= min_confidence)


@functools.lru_cache(maxsize=1)
def _load(weights: Path, labels: Path) -> Tagger:
    return Tagger(weights, labels)


_loading = threading.Lock()


def shared_tagger() -> Tagger:
    """Return the process's tagger, loading it when it is first asked for.

    Raises:
        WeightsError: the files are not in the cache; says how to fetch them.
    """
    from lavis.common.weights import weights_path

    with _loading:
        return _load(weights_path(WEIGHTS), weights_path(LABELS))
