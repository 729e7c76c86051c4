"""Reads the text in pictures: RapidOCR with the models inside its package, one engine per process."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.cores import usable_cores
from lavis.common.errors import WeightsError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.packages import required
from lavis.experts.reading.order import Box, reading_order

PACKAGES = ("rapidocr", "onnxruntime")
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
# What is less certain than this is noise: corners, leaves, hatching.
MIN_CONFIDENCE = 0.5
# From this on a reading is told without a word of doubt.
CERTAIN = 0.8
# So short a text that is not certain is a pattern of the picture more often than writing.
SHORT_CHARS = 3
# What reads worse is tried upside down, at most so many lines of a picture, and kept so if it gains so much.
DOUBTFUL, MAX_TURNED, TURN_GAIN = 0.9, 40, 0.1
# Two experts look at the same frames, and every question on a document at the same pages.
REMEMBERED_PICTURES = 256
SEARCH_SIDE_PX, SEARCH_PX = 736, 850_000
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclasses.dataclass(frozen=True)
class TextLine:
    """One line of text in a picture.

    Attributes:
        text: what was recognised. A space that stands narrow in the picture may be missing.
        confidence: of the recognition, 0 … 1.
        box_px: left, top, right, bottom.
        size_px: width and height of the picture.
    """

    text: str
    confidence: float
    box_px: Box
    size_px: tuple[int, int]

    def is_legible(self, min_confidence: float = MIN_CONFIDENCE) -> bool:
        """Return whether it is worth telling: certain enough, and a short one certain without doubt."""
        certain_enough = max(min_confidence, CERTAIN) if len(self.text.strip()) < SHORT_CHARS else min_confidence
        return self.confidence >= certain_enough

    @property
    def box(self) -> Box:
        """Left, top, right, bottom as shares of the picture's width and height."""
        left, top, right, bottom = self.box_px
        width, height = self.size_px
        return left / width, top / height, right / width, bottom / height

    @property
    def center_px(self) -> tuple[float, float]:
        """Middle of the box."""
        left, top, right, bottom = self.box_px
        return (left + right) / 2, (top + bottom) / 2

    @property
    def is_vertical(self) -> bool:
        """Whether the line runs up or down."""
        left, top, right, bottom = self.box_px
        return len(self.text) > 1 and bottom - top > 1.5 * (right - left)

    @property
    def height_px(self) -> float:
        """How tall the writing is, whichever way it runs."""
        left, top, right, bottom = self.box_px
        return right - left if self.is_vertical else bottom - top


class Reader:
    """Reads pictures one after the other; threads wait for each other.

    Args:
        n_threads: that a model may use.
    """

    def __init__(self, n_threads: int) -> None:
        package = required("rapidocr", modality="reading text")
        required("onnxruntime", modality="reading text")
        folder = Path(package.__file__).parent / "models"
        paths = {f"{part}.model_path": folder / name for part, name in MODELS.items()}
        for path in paths.values():
            # Given a path the package downloads nothing; without its models another release is installed.
            if not path.is_file():
                raise WeightsError(f"The package rapidocr has no {path.name} inside; pip install 'rapidocr==3.10.0'.")
        self._engine: Any = package.RapidOCR(
            params={
                **{name: str(path) for name, path in paths.items()},
                "Global.log_level": "critical",
                "Global.text_score": 0.0,
                "EngineConfig.onnxruntime.intra_op_num_threads": n_threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[bytes, tuple[TextLine, ...]] = collections.OrderedDict()

    def read(self, picture: Array) -> tuple[TextLine, ...]:
        """Return the lines of a picture in reading order.

        Args:
            picture: [h, w, 3] uint8 RGB, upright. Lines that run up, down or upside down are read too.
        """
        height, width = picture.shape[:2]
        if not height or not width:
            return ()
        picture = np.ascontiguousarray(picture)
        key = hashlib.blake2b(picture.data, salt=f"{height}x{width}".encode()[:16]).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            read = in_order(self._lines(picture[..., ::-1]))  # OpenCV's order of colours
            self._kept[key] = read
            if len(self._kept) > REMEMBERED_PICTURES:
                self._kept.popitem(last=False)
        return read

    def _lines(self, picture: Array) -> list[TextLine]:
        height, width = picture.shape[:2]
        self._look_at(search_side_px(height, width))
        found = self._engine(picture, use_det=True, use_cls=False)
        lines = []
        n_turned = 0
        for text, score, quad in [] if found.txts is None else zip(found.txts, found.scores, found.boxes, strict=True):
            line = _line(text, score, quad, (width, height))
            # Short words read well either way up (good, poob): only what reads badly is turned.
            if (line.is_vertical or score < DOUBTFUL) and n_turned < MAX_TURNED:
                n_turned += 1
                line = self._turned(picture, line)
            if line.text and line.confidence >= MIN_CONFIDENCE:
                lines.append(line)
        return lines

    def _look_at(self, side_px: int) -> None:
        self._engine.cfg.Det.limit_side_len = side_px
        if self._engine.text_det is not None:  # it is loaded with the first picture
            self._engine.text_det.limit_side_len = side_px

    def _turned(self, picture: Array, line: TextLine) -> TextLine:
        """Return a line as it reads upside down, where that reads clearly better."""
        left, top, right, bottom = (round(edge) for edge in line.box_px)
        piece = picture[top:bottom, left:right]
        if 0 in piece.shape:
            return line
        # A line that runs down or up lies on its side: it was read turned to the left.
        piece = np.ascontiguousarray(np.rot90(piece, 3 if line.is_vertical else 2))
        found = self._engine(piece, use_det=False, use_cls=False)
        if found.txts is None or found.scores[0] < line.confidence + TURN_GAIN:
            return line
        return dataclasses.replace(line, text=plain(found.txts[0]), confidence=round(float(found.scores[0]), 2))


def search_side_px(height: int, width: int) -> int:
    """Return what the shorter side of a picture is enlarged to, to find small text in it; bounded in pixels.

    A long narrow picture would otherwise be enlarged to several megapixels, at seconds each.
    """
    shorter = min(height, width)
    scale = min(SEARCH_SIDE_PX / shorter, math.sqrt(SEARCH_PX / (height * width)))
    return max(32, round(shorter * max(1.0, scale)))


def in_order(lines: list[TextLine]) -> tuple[TextLine, ...]:
    """Return lines in reading order."""
    return tuple(lines[k] for k in reading_order([line.box_px for line in lines]))


def _line(text: str, score: float, quad: Array, size_px: tuple[int, int]) -> TextLine:
    left, top = np.floor(quad.min(axis=0)).tolist()
    right, bottom = np.ceil(quad.max(axis=0)).tolist()
    box = (max(0.0, left), max(0.0, top), min(float(size_px[0]), right), min(float(size_px[1]), bottom))
    return TextLine(plain(text), round(float(score), 2), box, size_px)


def plain(text: str) -> str:
    """Return text with ordinary letters and signs in place of full-width ones, where no East Asian script is in it."""
    if any("\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in text):
        return text.strip()
    return text.translate(FULL_WIDTH).strip()


class _Shared:
    """The process's reader and the lock on loading it; both are new after a fork.

    The engine's threads stay with the parent. Its end would wait for them, so the child keeps the engine, unused.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reader: Reader | None = None
        self.left_behind: list[Reader] = []

    def renew(self) -> None:
        self.lock = threading.Lock()
        if self.reader is not None:
            self.left_behind.append(self.reader)
            self.reader = None


_SHARED = _Shared()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SHARED.renew)


def shared_reader() -> Reader:
    """Return the process's reader, loading it when it is first asked for.

    Raises:
        ConfigError: RapidOCR or onnxruntime is not installed; says how to install it.
        WeightsError: the installed RapidOCR has not the models inside.
    """
    with _SHARED.lock:
        if _SHARED.reader is None:
            _SHARED.reader = Reader(usable_cores())
        return _SHARED.reader
