"""Pages of documents: a PDF, a folder of page images, or one image."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling, first_with_suffix
from lavis.datasets.loaders.frames import stored_turn, to_rgb
from lavis.datasets.loaders.pdf import PdfDrawing, PdfPages
from lavis.datasets.loaders.sequence import natural_key, read_image
from lavis.datasets.question import path_inside

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
PAGE_SUFFIXES = (".pdf", *IMAGE_SUFFIXES)
MAX_PAGES = 1000
# One page: A0 at 150 dpi. All pages: 768 MB of RGB.
MAX_PAGE_PX = 36_000_000
MAX_PX = 1 << 28


@dataclasses.dataclass(frozen=True)
class Pages:
    """The pages of one document, as text and as pictures. Pages of a PDF are drawn when they are first asked for.

    Attributes:
        media_id: the medium.
        path: where it was read from.
        indices: page numbers from 0.
        texts: the text layer of each page, empty where there is none (scans, images).
        sizes_px: (height, width) of each page's picture.
        draw: yields the pictures of page numbers from 0, one after the other.
        max_px: bound on the pixels of :attr:`clip`.
    """

    media_id: str
    path: Path
    indices: tuple[int, ...]
    texts: tuple[str, ...]
    sizes_px: tuple[tuple[int, int], ...]
    draw: Callable[[Sequence[int]], Iterator[Array]] = dataclasses.field(repr=False, compare=False)
    max_px: int = MAX_PX

    def pictures(self, positions: Sequence[int]) -> Iterator[Array]:
        """Yield pages as pictures [h, w, 3] uint8 RGB, one at a time.

        Args:
            positions: of the pages among these, from 0.

        Raises:
            ModalityError: a page is damaged or has too many pixels; names medium and path.
        """
        self.check_sizes(positions, together=False)
        return self.draw([self.indices[k] for k in positions])

    @functools.cached_property
    def clip(self) -> Clip:
        """All pages [t, h, w, c] uint8 RGB; ``indices`` are page numbers from 0.

        Smaller pages lie in the upper left corner of white; ``size_px`` [t, 2] among the extras is each one's own
        (height, width).

        Raises:
            ModalityError: a page is damaged, or they have too many pixels; names medium and path.
        """
        positions = range(len(self.indices))
        self.check_sizes(positions)
        sizes = np.array(self.sizes_px, dtype=np.int64)
        height, width = sizes.max(axis=0).tolist()
        pages = np.full((len(sizes), height, width, 3), 255, dtype=np.uint8)
        for page, picture in zip(pages, self.pictures(positions), strict=True):
            page[: picture.shape[0], : picture.shape[1]] = picture
        return Clip(
            media_id=self.media_id,
            modality=PagesLoader.modality,
            array=pages,
            shape="t h w c",
            unit="uint8 RGB",
            path=self.path,
            indices=self.indices,
            extras={"size_px": sizes},
        )

    def check_sizes(self, positions: Sequence[int], *, together: bool = True) -> None:
        """Refuse pages that have too many pixels, each or all together, before anything is drawn.

        Raises:
            ModalityError: they have; names medium and path.
        """
        sizes = [self.sizes_px[k] for k in positions]
        for (height, width), k in zip(sizes, positions, strict=True):
            if height < 1 or width < 1 or height * width > MAX_PAGE_PX:
                raise ModalityError(
                    f"{self.media_id}: page {self.indices[k] + 1} of {self.path} has {height} × {width} px, "
                    f"{MAX_PAGE_PX} in all are drawn; lower the page option dpi, or make the image smaller."
                )
        if together and sizes:
            n_px = len(sizes) * max(size[0] for size in sizes) * max(size[1] for size in sizes)
            if n_px > self.max_px:
                raise ModalityError(
                    f"{self.media_id}: {len(sizes)} pages of {self.path} have {n_px} px, max_px is {self.max_px}; "
                    f"lower the page option dpi, choose pages, or raise max_px."
                )


@dataclasses.dataclass(frozen=True)
class HeldPictures:
    """Draws pages that are in memory already, by page number."""

    pictures: Mapping[int, Array]

    def __call__(self, pages: Sequence[int]) -> Iterator[Array]:
        """Yield the pictures of page numbers from 0."""
        return (self.pictures[page] for page in pages)


class PagesLoader(Loader):
    """Loads the pages of a document as :class:`Pages`.

    Args:
        dpi: resolution that a PDF is drawn at.
        pages: numbers of the pages wanted, from 1, in that order; None takes all.
        max_px: bound on the pixels of the pages that are drawn together, found before anything is drawn.
    """

    modality = "page"
    timed = False

    def __init__(self, *, dpi: float = 150.0, pages: Sequence[int] | None = None, max_px: int = MAX_PX) -> None:
        if not 1 <= dpi <= 1200:
            raise ConfigError(f"page: dpi must be 1 … 1200, not {dpi}.")
        if pages is not None and (not pages or any(not isinstance(page, int) or page < 1 for page in pages)):
            raise ConfigError(f"page: pages lists page numbers from 1, not {pages!r}.")
        if max_px < 1:
            raise ConfigError(f"page: max_px must be at least 1, not {max_px}.")
        self.dpi = dpi
        self.pages = None if pages is None else tuple(pages)
        self.max_px = max_px

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>`` (a folder, or a file with a page's suffix), else with the first suffix there is."""
        whole = path_inside(root, name, annotation=annotation)
        return whole if whole.is_dir() else first_with_suffix(root, name, PAGE_SUFFIXES, annotation=annotation)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Pages:
        """Read the text of a PDF or the images; the sampling is ignored.

        Raises:
            ModalityError: missing, encrypted, truncated, without pages, without a page asked for, of more than 1000
                pages, or too many pixels in the pages without text; names medium and path.
        """
        if path.is_dir():
            found = sorted(
                (
                    file
                    for file in path.iterdir()
                    if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
                ),
                key=natural_key,
            )
            return self._from_images(found, path, media_id=media_id)
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: page {path} does not exist; check the storage of 'page' in the data set's build_info."
            )
        if path.suffix.lower() == ".pdf":
            return self._from_pdf(path, media_id=media_id)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return self._from_images([path], path, media_id=media_id)
        raise ModalityError(f"{media_id}: {path} holds no pages; expected a folder or {', '.join(PAGE_SUFFIXES)}.")

    def _from_pdf(self, path: Path, *, media_id: str) -> Pages:
        with PdfPages(path, media_id=media_id) as document:
            chosen = self._chosen(len(document), path, media_id=media_id)
            sizes = tuple(document.size_px(page, self.dpi) for page in chosen)
            texts = tuple(document.text(page) for page in chosen)
        drawing = PdfDrawing(path, media_id, self.dpi)
        pages = Pages(media_id, path, chosen, texts, sizes, drawing, self.max_px)
        # What has no text can only be looked at: it is refused at once where that is too much.
        pages.check_sizes([k for k, text in enumerate(texts) if not text.strip()])
        return pages

    def _from_images(self, found: list[Path], path: Path, *, media_id: str) -> Pages:
        chosen = self._chosen(len(found), path, media_id=media_id)
        pictures: dict[int, Array] = {}
        sizes: tuple[tuple[int, int], ...] = ()
        for n_read, page in enumerate(chosen, 1):
            pictures[page] = read_picture(found[page], media_id=media_id, modality=self.modality)
            sizes = (*sizes, (pictures[page].shape[0], pictures[page].shape[1]))
            texts = ("",) * n_read
            pages = Pages(media_id, path, chosen[:n_read], texts, sizes, HeldPictures(pictures), self.max_px)
            pages.check_sizes(range(n_read))
        return pages

    def _chosen(self, n_pages: int, path: Path, *, media_id: str) -> tuple[int, ...]:
        """Return the pages wanted, counted from 0."""
        if not n_pages:
            raise ModalityError(f"{media_id}: {path} has no pages; fetch it again.")
        if n_pages > MAX_PAGES:
            raise ModalityError(f"{media_id}: {path} has {n_pages} pages, at most {MAX_PAGES} are read; split it.")
        if self.pages is None:
            return tuple(range(n_pages))
        if max(self.pages) > n_pages:
            raise ModalityError(
                f"{media_id}: {path} has {n_pages} pages, page {max(self.pages)} is asked for; correct the page option "
                f"pages."
            )
        return tuple(page - 1 for page in self.pages)


def read_picture(path: Path, *, media_id: str, modality: str) -> Array:
    """Read an image as [h, w, 3] uint8 RGB, upright, transparency over white.

    Raises:
        ModalityError: missing, truncated, no image or too large; names medium and path.
    """
    return as_rgb(read_image(path, media_id=media_id, modality=modality), path, media_id=media_id, modality=modality)


def as_rgb(image: Image.Image, path: Path, *, media_id: str, modality: str) -> Array:
    """Return a decoded image as [h, w, 3] uint8 RGB.

    Raises:
        ModalityError: it holds numbers without a known white; names medium and path.
    """
    try:
        picture = to_rgb(image)
    except ValueError as error:
        raise ModalityError(f"{media_id}: {modality} image {path} cannot be taken as RGB: {error}.") from error
    turn = stored_turn(image)
    return np.asarray(picture if turn is None else picture.transpose(turn))
