"""PDF files drawn with PDFium, one call at a time: the library is not safe in threads."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.packages import required

POINTS_PER_INCH = 72.0
MAX_PDF_BYTES = 1 << 28
MAX_TEXT_CHARS = 1 << 20

Result = TypeVar("Result")


class _Library:
    """The lock on PDFium; a new one after a fork, where no thread is left that could release the old one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def renew(self) -> None:
        self.lock = threading.RLock()


_LIBRARY = _Library()
os.register_at_fork(after_in_child=_LIBRARY.renew)


class PdfPages:
    """An open PDF, used as a context manager; pages are counted from 0.

    Raises:
        ModalityError: encrypted, truncated, damaged, or no PDF; names medium and path.
    """

    def __init__(self, path: Path, *, media_id: str) -> None:
        self.path, self.media_id = path, media_id
        size_bytes = path.stat().st_size
        if size_bytes > MAX_PDF_BYTES:
            raise self._error(f"has {size_bytes} bytes, at most {MAX_PDF_BYTES} are read", "split it")
        # Held here as long as the document: PDFium reads from this buffer.
        self.content = path.read_bytes()
        self.document: Any = self._call(self._open, "cannot be opened")

    def __enter__(self) -> PdfPages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _LIBRARY.lock:
            self.document.close()

    def __len__(self) -> int:
        return self._call(lambda: len(self.document), "cannot be counted")

    def size_px(self, page: int, dpi: float) -> tuple[int, int]:
        """Return (height, width) of a page as it will be drawn."""
        width, height = self._call(lambda: self.document.get_page_size(page), f"has a damaged page {page + 1}")
        if not (math.isfinite(width) and math.isfinite(height)):
            raise self._error(f"gives page {page + 1} no size", "fetch it again")
        scale = dpi / POINTS_PER_INCH
        return math.ceil(height * scale), math.ceil(width * scale)

    def draw(self, page: int, dpi: float) -> Array:
        """Draw a page on white [h, w, 3] uint8 RGB."""

        def drawn() -> Array:
            opened = self.document[page]
            try:
                bitmap = opened.render(scale=dpi / POINTS_PER_INCH, rev_byteorder=True, maybe_alpha=False)
                try:
                    return np.array(bitmap.to_numpy())[..., :3]
                finally:
                    bitmap.close()
            finally:
                opened.close()

        return self._call(drawn, f"has a damaged page {page + 1}")

    def text(self, page: int) -> str:
        """Return the text layer of a page, lines ended by a line feed; empty where there is none."""

        def read() -> str:
            opened = self.document[page]
            try:
                layer = opened.get_textpage()
                try:
                    if layer.count_chars() > MAX_TEXT_CHARS:
                        raise self._error(f"has over {MAX_TEXT_CHARS} letters on page {page + 1}", "split it")
                    return str(layer.get_text_range()).replace("\r\n", "\n")
                finally:
                    layer.close()
            finally:
                opened.close()

        return self._call(read, f"has a damaged text layer on page {page + 1}")

    def _open(self) -> Any:
        return required("pypdfium2", modality="page").PdfDocument(self.content)

    def _call(self, function: Callable[[], Result], what: str) -> Result:
        pypdfium2 = required("pypdfium2", modality="page")
        try:
            with _LIBRARY.lock:
                return function()
        except (pypdfium2.PdfiumError, OSError, ValueError, IndexError, OverflowError, MemoryError) as error:
            # PDFium's reason may be left from an earlier file; an encrypted one always names its filter in the clear.
            if "assword" in str(error) and b"/Encrypt" in self.content:
                raise self._error("is encrypted", "save it without a password") from error
            raise self._error(f"{what}; it is truncated, damaged or without pages", "fetch it again") from error

    def _error(self, what: str, way_out: str) -> ModalityError:
        return ModalityError(f"{self.media_id}: PDF {self.path} {what}; {way_out}.")


@dataclasses.dataclass(frozen=True)
class PdfDrawing:
    """Draws pages of a PDF when they are asked for.

    Attributes:
        path: the file.
        media_id: the medium.
        dpi: resolution.
    """

    path: Path
    media_id: str
    dpi: float

    def __call__(self, pages: Sequence[int]) -> Iterator[Array]:
        """Yield the pictures [h, w, 3] uint8 RGB of page numbers from 0.

        Raises:
            ModalityError: the file has changed, or a page is damaged; names medium and path.
        """
        if not self.path.is_file():
            raise ModalityError(f"{self.media_id}: PDF {self.path} is no longer there; put it back.")
        with PdfPages(self.path, media_id=self.media_id) as document:
            for page in pages:
                yield document.draw(page, self.dpi)
