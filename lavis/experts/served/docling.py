"""Documents as Markdown by Docling, where it is installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lavis.common.errors import ModalityError
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard

if TYPE_CHECKING:
    from lavis.datasets.loaders.pages import Pages


class DoclingExpert(Expert):
    """Converts the whole file of a document, whichever pages the loader chose; fetches models of its own."""

    card = ExpertCard(
        name="docling",
        modality="page",
        skill="E3",
        summary="a document as Markdown: headings, paragraphs, lists and tables in reading order",
        version="1",
        cost="local",
    )
    packages = ("docling",)

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._converter: Any = None

    def deciding(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options, and Docling's version where it is installed."""
        try:
            return {**options, "docling": importlib.metadata.version("docling")}
        except importlib.metadata.PackageNotFoundError:
            return dict(options)

    def write(self, pages: Pages) -> str:
        """Convert the file.

        Raises:
            ModalityError: the pages are a folder of pictures, or Docling cannot convert them; names medium and path.
        """
        if pages.path.is_dir():
            raise ModalityError(f"{pages.media_id}: docling reads one file, and {pages.path} is a folder of pages.")
        converting = importlib.import_module("docling.document_converter")
        failure = importlib.import_module("docling.exceptions").ConversionError
        with self._turn:
            if self._converter is None:
                self._converter = converting.DocumentConverter()
            try:
                return str(self._converter.convert(pages.path).document.export_to_markdown())
            except failure as error:
                raise ModalityError(f"{pages.media_id}: docling cannot convert {pages.path} ({error}).") from error
