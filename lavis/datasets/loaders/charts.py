"""Charts: one picture per medium, or the table that it was drawn from, or both beside each other."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Clip, Loader, Sampling, first_with_suffix
from lavis.datasets.loaders.pages import IMAGE_SUFFIXES, as_rgb, read_picture
from lavis.datasets.loaders.sequence import MAX_IMAGE_PX
from lavis.datasets.loaders.tables import Table, TableLoader

PICTURE_SUFFIXES = (*IMAGE_SUFFIXES, ".gif")
CHART_SUFFIXES = (*PICTURE_SUFFIXES, ".csv")


@dataclasses.dataclass(frozen=True)
class Chart:
    """One chart; at least one of the two is there.

    Attributes:
        clip: the picture [h, w, c] uint8 RGB, None where only the table is stored.
        table: what it shows, None where only the picture is stored.
    """

    clip: Clip | None
    table: Table | None


class ChartLoader(Loader):
    """Loads a chart: ``<name>.png`` (jpg, webp, bmp, gif: its first picture), and ``<name>.csv`` beside it.

    Transparency is laid over white. The table is read as by ``table``; without one, ``table`` is None.
    """

    modality = "chart"
    timed = False

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>`` where the name has a chart's suffix, else with the first suffix that exists."""
        return first_with_suffix(root, name, CHART_SUFFIXES, annotation=annotation)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Chart:
        """Read the picture and the table beside it (or the table alone, where that is the path).

        Raises:
            ModalityError: missing, truncated, no image, or a table that cannot be read; names medium and path.
        """
        suffix = path.suffix.lower()
        if suffix not in CHART_SUFFIXES:
            raise ModalityError(f"{media_id}: {path} is no chart; expected {', '.join(CHART_SUFFIXES)}.")
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: chart {path} does not exist; check the storage of 'chart' in the data set's build_info."
            )
        table_path = path.with_suffix(".csv")
        table = TableLoader().load(table_path, media_id=media_id) if table_path.is_file() else None
        return Chart(None if suffix == ".csv" else self._picture(path, media_id=media_id), table)

    def _picture(self, path: Path, *, media_id: str) -> Clip:
        if path.suffix.lower() == ".gif":
            first = _first_picture(path, media_id=media_id)
            array = as_rgb(first, path, media_id=media_id, modality=self.modality)
        else:
            array = read_picture(path, media_id=media_id, modality=self.modality)
        return Clip(media_id=media_id, modality=self.modality, array=array, shape="h w c", unit="uint8 RGB", path=path)


def _first_picture(path: Path, *, media_id: str) -> Image.Image:
    try:
        with path.open("rb") as stream:
            image = Image.open(stream, formats=("GIF",))
            if image.width * image.height > MAX_IMAGE_PX:
                raise ModalityError(f"{media_id}: chart {path} has {image.width}×{image.height} px; make it smaller.")
            image.load()
            return image
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
    ) as error:
        raise ModalityError(f"{media_id}: chart {path} is truncated or no GIF ({error}); write it again.") from error
