"""Pages, charts and tables read by a vision model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.experts.asking import AskingExpert, Shown
from lavis.experts.card import ExpertCard
from lavis.experts.pictures import encoded
from lavis.experts.served.reading import READING_SIDE_PX
from lavis.experts.served.rendering import table_picture
from lavis.experts.words import counted, spread

if TYPE_CHECKING:
    from lavis.datasets.loaders.charts import Chart
    from lavis.datasets.loaders.pages import Pages
    from lavis.datasets.loaders.tables import Table

# What a model still reads in one picture.
MAX_ROWS, MAX_COLUMNS = 40, 12
CHART_INSTRUCTION = (
    "Turn the chart into text: its kind and title, the axes with their units and ranges, the legend, then a table in "
    "Markdown with every value: as it is printed, or read from the axis and marked with ~. End with a sentence on the "
    "course: largest, smallest, where it rises, falls or crosses. Mark what you cannot read as [unreadable]."
)
TABLE_INSTRUCTION = (
    "Say in at most 150 words what the table is about, what its columns and rows are and in which units, the largest "
    "and smallest values with their rows, totals, and what stands out. Copy names and numbers exactly."
)


class PictureOfDocument(AskingExpert):
    """Shows pictures that are to be read.

    Args:
        reasoner, instruction, max_tokens: as of :class:`AskingExpert`.
        longest_side_px: pictures are made smaller than this.
    """

    sees = True

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 1536,
        longest_side_px: int = READING_SIDE_PX,
    ) -> None:
        super().__init__(reasoner=reasoner, instruction=instruction, max_tokens=max_tokens)
        if longest_side_px < 32:
            raise ConfigError(
                f"model.experts.{self.card.name}.longest_side_px: {longest_side_px} px show nothing; give 32 or more."
            )
        self.longest_side_px = longest_side_px


class PagesReadingExpert(PictureOfDocument):
    """Reads pages of a document as they look.

    Args:
        reasoner, instruction, max_tokens, longest_side_px: as of :class:`PictureOfDocument`.
        n_images: pages shown at most, evenly spread.
    """

    card = ExpertCard(
        name="vlm_pages",
        modality="page",
        skill="E3",
        summary="pages of a document as they look: headings, text, tables and figures in reading order",
        version="1",
        cost="served",
    )
    instruction = (
        "These are pages of one document. For each give its headings and its text in reading order, tables as "
        "Markdown, formulas in LaTeX, and for each figure one sentence and its caption. Shorten running text to what "
        "it says; copy names, numbers and headings exactly. Mark what you cannot read as [unreadable]."
    )

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 3072,
        longest_side_px: int = READING_SIDE_PX,
        n_images: int = 6,
    ) -> None:
        super().__init__(
            reasoner=reasoner, instruction=instruction, max_tokens=max_tokens, longest_side_px=longest_side_px
        )
        if n_images < 1:
            raise ConfigError(f"model.experts.vlm_pages.n_images: {n_images} shows nothing; give 1 or more.")
        self.n_images = n_images

    def show(self, loaded: Pages, **needs: Any) -> Shown:
        """Show pages.

        Raises:
            ModalityError: a page is damaged or has too many pixels; names the medium and the path.
        """
        positions = spread(len(loaded.indices), self.n_images)
        pictures = tuple(
            encoded(picture, longest_side_px=self.longest_side_px) for picture in loaded.pictures(positions)
        )
        n_pages = len(loaded.indices)
        preface = f"{len(positions)} of {n_pages} pages were looked at." if len(positions) < n_pages else ""
        return Shown(images=pictures, labels=tuple(f"page {loaded.indices[k] + 1}" for k in positions), preface=preface)


class ChartReadingExpert(PictureOfDocument):
    """Turns a chart into its table."""

    card = ExpertCard(
        name="vlm_chart",
        modality="chart",
        skill="F1",
        summary="a chart as text: title, axes, legend, its values as a table, its course",
        version="1",
        cost="served",
    )
    instruction = CHART_INSTRUCTION

    def show(self, loaded: Chart, **needs: Any) -> Shown:
        """Show the chart's picture.

        Raises:
            ModalityError: only its table is stored.
        """
        if loaded.clip is None:
            path = "" if loaded.table is None else f" ({loaded.table.path})"
            raise ModalityError(f"the chart has no picture, only its table{path}; read that as modality table.")
        return Shown(images=(encoded(loaded.clip.array, longest_side_px=self.longest_side_px),))


class TableReadingExpert(PictureOfDocument):
    """Reads a table from its picture; cells that the picture's font cannot write are told beside it."""

    card = ExpertCard(
        name="vlm_table",
        modality="table",
        skill="F2",
        summary="what a table is about, its columns, extremes, totals and what stands out",
        version="1",
        cost="served",
    )
    instruction = TABLE_INSTRUCTION

    def show(self, loaded: Table, **needs: Any) -> Shown:
        """Show the table's first rows and columns as a picture."""
        header, rows = loaded.header[:MAX_COLUMNS], [row[:MAX_COLUMNS] for row in loaded.rows[:MAX_ROWS]]
        cut = []
        if len(loaded.rows) > MAX_ROWS:
            cut.append(f"the first {MAX_ROWS} of {counted(len(loaded.rows), 'row')}")
        if len(loaded.header) > MAX_COLUMNS:
            cut.append(f"the first {MAX_COLUMNS} of {counted(len(loaded.header), 'column')}")
        preface = f"Only {' and '.join(cut)} were looked at." if cut else ""
        picture: Array = table_picture(header, rows)
        return Shown(
            words="\n".join(part for part in (preface, _in_words([header, *rows])) if part),
            images=(encoded(picture, longest_side_px=max(picture.shape[:2])),),
            preface=preface,
        )


def _in_words(lines: Sequence[Sequence[str]]) -> str:
    """Return the cells as text where the picture cannot show them: its font writes Latin-1 alone."""
    text = "\n".join(" | ".join(" ".join(cell.split()) for cell in line) for line in lines)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return f"Signs that the picture shows as boxes are these, in the same order:\n{text}"
    return ""
