"""Finds named objects in pictures: SSD-MobileNetV2 on COCO's 80 classes, through OpenCV."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lavis.experts.coco import LABELS

WEIGHTS = "ssd_mobilenet_v2_coco"
GRAPH = "ssd_mobilenet_v2_coco_graph"
INPUT_PX = 300
MAX_REMEMBERED = 512  # pictures; about 3 kB each


@dataclasses.dataclass(frozen=True)
class Detection:
    """One object in one picture.

    Attributes:
        label: its COCO name.
        confidence: 0 … 1.
        box: left, top, right, bottom as shares of the picture's width and height, inside 0 … 1.
    """

    label: str
    confidence: float
    box: tuple[float, float, float, float]

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the box, as shares of width and height."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def area(self) -> float:
        """Share of the picture that the box covers, 0 … 1."""
        left, top, right, bottom = self.box
        return max(0.0, right - left) * max(0.0, bottom - top)


class Detector:
    """A detector whose network is shared by the threads of a process.

    Pictures go through the network one by one: in one forward of eight the rows are the same to the last
    bit and each picture takes longer (52 ms instead of 47 ms on two cores). What was found in the last
    ``MAX_REMEMBERED`` pictures is remembered by their content, because several experts look at the
    same frames.

    Args:
        weights: frozen TensorFlow graph (``.pb``).
        graph: its description for OpenCV (``.pbtxt``).
    """

    def __init__(self, weights: Path, graph: Path) -> None:
        import cv2

        self._net: Any = cv2.dnn.readNetFromTensorflow(str(weights), str(graph))
        self._lock = threading.Lock()  # a cv2.dnn network keeps its input and output inside itself
        self._remembered: OrderedDict[bytes, npt.NDArray[np.float32]] = OrderedDict()

    def detect(self, picture: npt.NDArray[np.uint8], *, min_confidence: float) -> tuple[Detection, ...]:
        """Return what is in a picture, the most certain first.

        Args:
            picture: [h, w, 3] uint8 RGB, not empty.
            min_confidence: what is less certain is left out.
        """
        found = [
            Detection(
                LABELS[int(number)], round(float(confidence), 4), _inside(float(x0), float(y0), float(x1), float(y1))
            )
            for _, number, confidence, x0, y0, x1, y1 in self._rows(np.ascontiguousarray(picture))
            if confidence >= min_confidence and int(number) in LABELS
        ]
        return tuple(sorted(found, key=lambda one: (-one.confidence, one.label, one.box)))

    def _rows(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the network's output [n, 7]: image, class, confidence, and the box in shares."""
        import cv2

        digest = hashlib.blake2b(picture.data, digest_size=16)
        digest.update(repr(picture.shape).encode())
        key = digest.digest()
        with self._lock:
            rows = self._remembered.get(key)
            if rows is None:
                self._net.setInput(cv2.dnn.blobFromImage(picture, size=(INPUT_PX, INPUT_PX)))  # scaled in the graph
                rows = self._net.forward().reshape(-1, 7).copy()
            self._remembered[key] = rows
            self._remembered.move_to_end(key)
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return rows


def _inside(*box: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (min(1.0, max(0.0, round(edge, 4))) for edge in box)
    return left, top, right, bottom


@functools.lru_cache(maxsize=1)
def _load(weights: Path, graph: Path) -> Detector:
    return Detector(weights, graph)


_loading = threading.Lock()


def shared_detector() -> Detector:
    """Return the process's detector, loading it when it is first asked for.

    Raises:
        WeightsError: the files are not in the cache; says how to fetch them.
    """
    from lavis.common.weights import weights_path

    with _loading:
        return _load(weights_path(WEIGHTS), weights_path(GRAPH))
