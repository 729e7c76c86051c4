"""Documents: what stands on a page is quoted with its number, from the text layer or from the picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdfs import pdf

pytest.importorskip("pypdfium2", reason="PDFium reads the documents")

from drawings import drawn
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.pages import PagesLoader
from lavis.datasets.loaders.pdf import PdfPages
from lavis.datasets.question import Media, Question
from lavis.experts.pages import PagesExpert
from lavis.experts.reading.passages import nearest, pages_named, passages

A4 = (595.0, 842.0)


def asked(text: str, *options: str) -> Question:
    return Question("q1", text, Media("d", {}), options=options)


def evidence(path: Path, text: str, **options: int) -> str:
    return PagesExpert(**options).write(PagesLoader().load(path, media_id="d"), question=asked(text))


def test_a_short_document_is_quoted_whole_by_its_text_layer(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(pdf([(*A4, "The heating was renewed in 1998."), (*A4, "The roof dates from 2004.")]))
    assert evidence(path, "When was the roof made?").splitlines() == [
        "Document of 2 pages. By its text layer: pages 1 and 2.",
        "[page 1] The heating was renewed in 1998.",
        "[page 2] The roof dates from 2004.",
    ]


def test_of_a_thousand_pages_the_one_that_bears_on_the_question_is_quoted_and_none_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 1,000 pages together have 2.2 gigapixels at 150 dpi; only page 713 speaks of an otter."""
    path = tmp_path / "d.pdf"
    texts = [f"Entry {n} of the register tells of ordinary weather and traffic on day {n}." for n in range(1, 1001)]
    texts[712] = "An otter was seen below the mill in the morning of that day."
    path.write_bytes(pdf([(*A4, text) for text in texts]))
    monkeypatch.delattr(PdfPages, "draw")
    pages = PagesLoader().load(path, media_id="d")
    text = PagesExpert(max_chars=600).write(pages, question=asked("Where was the otter seen?"))

    assert "Document of 1000 pages. By its text layer: pages 1 to 1000." in text
    assert "[page 713] An otter was seen below the mill" in text and len(text) < 1200
    assert text.splitlines()[1].startswith("[page 1] Entry 1 ")
    assert "[page 305] Entry 305 " in PagesExpert(max_chars=600).write(pages, question=asked("What is on page 305?"))
    with pytest.raises(ModalityError, match=r"d: 1000 pages .* max_px is"):
        _ = pages.clip


def test_pages_without_a_text_layer_are_read_from_their_pictures(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    folder = tmp_path / "scan"
    folder.mkdir()
    for number, text in enumerate(("Invoice 2041", "Total 318.50 EUR", "Thank you"), 1):
        Image.fromarray(drawn((400, 120), [(text, 30, 40, 32)])).save(folder / f"{number}.png")
    assert evidence(folder, "What is the total?").splitlines() == [
        "Document of 3 pages. Read from the picture by OCR: pages 1 to 3.",
        "[page 1] Invoice 2041",
        "[page 2] Total 318.50 EUR",
        "[page 3] Thank you",
    ]
    text = evidence(folder, "What does page 3 say?", max_ocr_pages=1)
    assert "[page 3] Thank you" in text and "not read (max_ocr_pages is 1): pages 1 and 2." in text


def test_a_photo_of_a_page_that_lies_on_its_side_is_read_upright(tmp_path: Path) -> None:
    """EXIF orientation 6: the camera was turned; the stored picture is the page turned by 90 degrees."""
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    page = Image.fromarray(drawn((420, 200), [("First line of it", 30, 30, 30), ("Second line", 30, 110, 30)]))
    exif = Image.Exif()
    exif[0x0112] = 6
    page.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "p.jpg", exif=exif, quality=95)
    text = evidence(tmp_path / "p.jpg", "What does it say?")
    assert text.splitlines()[1:] == ["[page 1] First line of it Second line"]


def test_pages_with_nothing_on_them(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), "white").save(tmp_path / "p.png")
    assert evidence(tmp_path / "p.png", "What?", max_ocr_pages=0) == (
        "Document of 1 page. Without text layer and not read (max_ocr_pages is 0): page 1. There is no readable text."
    )
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    assert "Without readable text: page 1. There is no readable text." in evidence(tmp_path / "p.png", "What?")


def test_a_locked_document_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(pdf([(*A4, "secret")], password=b"key"))
    with pytest.raises(ModalityError, match=r"d: PDF .*d\.pdf is encrypted; save it without a password"):
        evidence(path, "What?")


def test_passages_keep_every_word_and_their_bound() -> None:
    words = [f"word{n}" for n in range(1000)]
    text = "\n".join(" ".join(words[k : k + 9]) for k in range(0, 1000, 9)) + "\n" + "x" * 1500
    found = passages(text, 4)
    assert " ".join(one.text for one in found).split()[:1000] == words
    assert all(one.page == 4 and len(one.text) <= 600 for one in found)
    assert sum(one.text.count("x") for one in found) == 1500
    assert passages("exam\ufffe\nple", 1)[0].text == "example" and passages(" \n ", 1) == []


def test_options_and_page_numbers_choose_passages_too() -> None:
    found = [one for n in range(1, 40) for one in passages(f"On sheet {n} nothing " + "of note " * 60, n)]
    found[20] = passages("A kestrel nests in the tower " + "of note " * 60, 21)[0]
    chosen = nearest(found, asked("Which bird lives there?", "a kestrel", "a raven"), 1200)
    assert [one.page for one in chosen] == [1, 21]
    assert pages_named(asked("Compare page 3 and p. 7 with pages 10-12.")) == {3, 7, 10, 11, 12}
    assert len(nearest(found, asked("Wozu?"), 2000)) >= 3


@pytest.mark.parametrize("options", [{"max_chars": 10}, {"max_chars": 30_000}, {"max_ocr_pages": -1}])
def test_options_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"model\.experts\.pages"):
        PagesExpert(**options)
