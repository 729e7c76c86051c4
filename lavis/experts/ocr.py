"""Text in frames as words: what is written, where in the picture, and when."""

from __future__ import annotations

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.reading.engine import CERTAIN, MIN_CONFIDENCE, PACKAGES, TextLine
from lavis.experts.reading.tracks import Track, tracks
from lavis.experts.reading.views import read_views
from lavis.experts.words import between_moments, capital, counted

COLUMNS, ROWS = ("left", "centre", "right"), ("upper", "middle", "lower")


class OcrExpert(Expert):
    """Quotes the text that is written in frames; the same text in neighbouring frames is told once.

    Args:
        min_confidence: readings below it are not quoted, 0.5 … 1.
        max_texts: at most so many texts are quoted, the most prominent (size and time together).
    """

    card = ExpertCard(
        name="ocr",
        modality="frame",
        skill="E1",
        summary="text written in the frames (signs, labels, screens, subtitles), where in the picture and when",
        version="1",
        cost="local",
    )
    packages = PACKAGES

    def __init__(self, *, min_confidence: float = 0.6, max_texts: int = 40) -> None:
        if not MIN_CONFIDENCE <= min_confidence < 1.0 or max_texts < 1:
            raise ConfigError(
                f"model.experts.ocr: min_confidence lies between {MIN_CONFIDENCE} and 1, max_texts is 1 or more."
            )
        self.min_confidence = min_confidence
        self.max_texts = max_texts

    def write(self, clip: Clip) -> str:
        """Quote the text in a clip of pictures.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB.

        Returns:
            A line per stretch of time, and under it a line per text in reading order: ``- "EXIT" (upper right)``.

        Raises:
            ModalityError: the clip has no picture; names the medium and the path.
            ConfigError: RapidOCR is not installed; says how to install it.
        """
        views = read_views(clip)
        found = tracks([[line for line in lines if line.is_legible(self.min_confidence)] for lines in views])
        n_unread = max(sum(not line.is_legible(self.min_confidence) for line in lines) for lines in views)
        unread = f" {capital(counted(n_unread, 'spot'))} that may be text could not be read." if n_unread else ""
        if not found:
            return f"No readable text is found in the {counted(len(views), 'picture')} looked at.{unread}"
        told = self._prominent(found)
        left_out = len(found) - len(told)
        lines = [f"Text recognised in {counted(len(views), 'picture')}, with its place in the picture:{unread}"]
        span = None
        for track in told:
            if track.span != span:
                span = track.span
                lines.append(f"{capital(between_moments(clip, *span))}:")
            lines.append(_line(track.best))
        if left_out:
            lines.append(f"({counted(left_out, 'less prominent text')} left out.)")
        return "\n".join(lines)

    def _prominent(self, found: list[Track]) -> list[Track]:
        if len(found) > self.max_texts:
            kept = sorted(found, key=lambda track: (-_prominence(track), track.views[0], track.order))[: self.max_texts]
            found = [track for track in found if any(track is one for one in kept)]
        return sorted(found, key=lambda track: (track.views[0], track.views[-1], track.order))


def _prominence(track: Track) -> float:
    left, top, right, bottom = track.best.box
    return round((right - left) * (bottom - top) * len(track.views), 6)


def _line(line: TextLine) -> str:
    notes = [place(line)]
    if line.is_vertical:
        notes.append("runs vertically")
    if line.confidence < CERTAIN:
        notes.append(f"uncertain, {line.confidence:.2f}")
    return f'- "{line.text}" ({"; ".join(notes)})'


def place(line: TextLine) -> str:
    """Return where a line stands in its picture: ``upper left``, ``centre``; of a wide line the row alone."""
    left, top, right, bottom = line.box
    row = ROWS[min(2, int(3 * (top + bottom) / 2))]
    if right - left > 0.6:
        return f"{row}, across the picture"
    column = COLUMNS[min(2, int(3 * (left + right) / 2))]
    return column if row == "middle" else f"{row} {column}"
