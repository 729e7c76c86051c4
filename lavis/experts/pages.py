"""Documents as words: the text layer where there is one, OCR where there is none, by page, near to the question."""

from __future__ import annotations

from collections.abc import Sequence

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.pages import Pages
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.card import MAX_CHARS, ExpertCard
from lavis.experts.reading.engine import PACKAGES, TextLine, shared_reader
from lavis.experts.reading.order import reading_rows
from lavis.experts.reading.passages import nearest, pages_named, passages
from lavis.experts.words import listed, runs

# A layer with fewer letters is a stamp or a number on a scan: the page is read as a picture too.
MIN_LAYER_LETTERS = 16
HEADER_CHARS = 500


class PagesExpert(Expert):
    """Quotes a document, whole where it is short, else the passages nearest to the question.

    Args:
        max_chars: of all passages that are quoted, 600 to 19,500.
        max_ocr_pages: at most so many pages without a text layer are read as pictures (some seconds each), those that
            the question names first, then from the front.
    """

    card = ExpertCard(
        name="pages",
        modality="page",
        skill="E3",
        summary="text of a document (PDF, scan, page images) with page numbers, the passages nearest to the question",
        version="1",
        question_aware=True,
        cost="local",
    )
    packages = PACKAGES

    def __init__(self, *, max_chars: int = 4000, max_ocr_pages: int = 12) -> None:
        if not 600 <= max_chars <= MAX_CHARS - HEADER_CHARS:
            raise ConfigError(
                f"model.experts.pages: max_chars lies between 600 and {MAX_CHARS - HEADER_CHARS}, not {max_chars}."
            )
        if max_ocr_pages < 0:
            raise ConfigError(f"model.experts.pages: max_ocr_pages is 0 or more, not {max_ocr_pages}.")
        self.max_chars = max_chars
        self.max_ocr_pages = max_ocr_pages

    def write(self, pages: Pages, *, question: Question) -> str:
        """Quote what a document says.

        Args:
            pages: of the document.
            question: its text, situation and options rank the passages; it comes without its gold answers.

        Returns:
            A header (how many pages, which of them were read how), then a line per passage:
            ``[page 3] The heating was renewed in 1998.``

        Raises:
            ModalityError: a page is damaged; names medium and path.
            ConfigError: a page has no text layer and RapidOCR is not installed; says how to install it.
        """
        texts = list(pages.texts)
        bare = [k for k, text in enumerate(texts) if sum(letter.isalnum() for letter in text) < MIN_LAYER_LETTERS]
        wanted = self._wanted(bare, pages, question)
        seen = []
        if wanted:
            reader = shared_reader()
            for k, picture in zip(wanted, pages.pictures(wanted), strict=True):
                text = page_text(reader.read(picture))
                if len(text) > len(texts[k].strip()):
                    texts[k] = text
                    seen.append(k)
        found = [one for k, text in enumerate(texts) for one in passages(text, pages.indices[k] + 1)]
        header = self._header(pages, texts, seen, [k for k in bare if k not in wanted])
        if not found:
            return f"{header} There is no readable text."
        told = nearest(found, question, self.max_chars)
        if len(told) < len(found):
            header += f" Quoted are {len(told)} of {len(found)} passages, the nearest to the question."
        return "\n".join([header, *(f"[page {one.page}] {one.text}" for one in told)])

    def _wanted(self, bare: list[int], pages: Pages, question: Question) -> list[int]:
        named = pages_named(question)
        first = sorted(bare, key=lambda k: (pages.indices[k] + 1 not in named, k))
        return sorted(first[: self.max_ocr_pages])

    def _header(self, pages: Pages, texts: Sequence[str], seen: list[int], unread: list[int]) -> str:
        layered = [k for k, text in enumerate(pages.texts) if k not in seen and text.strip()]
        empty = [k for k in range(len(texts)) if not texts[k].strip() and k not in unread]
        n_pages = len(texts)
        said = [f"Document of {n_pages} page{'s' if n_pages > 1 else ''}."]
        if layered:
            said.append(f"By its text layer: {_pages(pages, layered)}.")
        if seen:
            said.append(f"Read from the picture by OCR: {_pages(pages, seen)}.")
        if empty:
            said.append(f"Without readable text: {_pages(pages, empty)}.")
        if left := [k for k in unread if not texts[k].strip()]:
            said.append(
                f"Without text layer and not read (max_ocr_pages is {self.max_ocr_pages}): {_pages(pages, left)}."
            )
        return " ".join(said)


def page_text(lines: Sequence[TextLine]) -> str:
    """Return the lines of a picture as text, a line per row, parts of a row three spaces apart."""
    rows = reading_rows([line.box_px for line in lines])
    return "\n".join("   ".join(lines[k].text for k in row) for row in rows)


def _pages(pages: Pages, positions: list[int]) -> str:
    """Return ``pages 1 to 4 and 7``."""
    numbers = sorted({pages.indices[k] + 1 for k in positions})
    stretches = runs([number - k for k, number in enumerate(numbers)])
    parts = [
        str(numbers[a]) if a == b else f"{numbers[a]} {'to' if b > a + 1 else 'and'} {numbers[b]}" for a, b in stretches
    ]
    shown = [*parts[:10], f"{len(parts) - 10} further stretches"] if len(parts) > 10 else parts
    return f"page{'s' if len(numbers) > 1 else ''} {listed(shown)}"
