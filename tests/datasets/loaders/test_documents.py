"""Pages, charts and tables: pictures and text as they are stored; everything else is an error."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from pdfs import pdf
from PIL import Image

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders.charts import ChartLoader
from lavis.datasets.loaders.pages import PagesLoader
from lavis.datasets.loaders.tables import TableLoader

A4 = (595.0, 842.0)


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# -- pages -------------------------------------------------------------------------------------------------------------


def test_a_pdf_is_drawn_at_its_resolution_with_its_text(tmp_path: Path) -> None:
    path = write(tmp_path / "d.pdf", pdf([(*A4, "Hello page one"), (*A4, ""), (*A4, "the third")]))
    pages = PagesLoader(dpi=72).load(path, media_id="d")

    assert pages.clip.array.shape == (3, 842, 595, 3) and pages.clip.array.dtype == np.uint8
    assert pages.clip.shape == "t h w c" and pages.clip.indices == (0, 1, 2) and pages.clip.timestamps_s == ()
    assert pages.texts == ("Hello page one", "", "the third")
    assert (pages.clip.array[1, -36:, :36] == 0).all() and (pages.clip.array[1, :-37] == 255).all()
    assert PagesLoader().load(path, media_id="d").clip.array.shape[1:3] == (1755, 1240)


def test_pages_are_chosen_by_number_from_one(tmp_path: Path) -> None:
    path = write(tmp_path / "d.pdf", pdf([(*A4, f"page {n}") for n in range(1, 5)]))
    pages = PagesLoader(dpi=36, pages=[3, 1]).load(path, media_id="d")
    assert pages.texts == ("page 3", "page 1") and pages.clip.indices == (2, 0)
    with pytest.raises(ModalityError, match=r"d: .*d\.pdf has 4 pages, page 5 is asked for"):
        PagesLoader(pages=[5]).load(path, media_id="d")
    for options in ({"pages": []}, {"pages": [0]}, {"dpi": 0}, {"max_px": 0}):
        with pytest.raises(ConfigError, match="page: "):
            PagesLoader(**options)


def test_smaller_pages_lie_on_white(tmp_path: Path) -> None:
    path = write(tmp_path / "d.pdf", pdf([(100, 50, ""), (50, 80, "")]))
    clip = PagesLoader(dpi=72).load(path, media_id="d").clip
    assert clip.array.shape == (2, 80, 100, 3)
    assert clip.extras["size_px"].tolist() == [[50, 100], [80, 50]]
    assert (clip.array[0, 50:] == 255).all() and (clip.array[0, 49, 0] == 0).all()


def test_a_folder_of_images_and_one_image_are_pages_without_text(tmp_path: Path) -> None:
    folder = tmp_path / "doc"
    folder.mkdir()
    for number in (1, 2, 10):
        Image.new("L", (8, 6), number).save(folder / f"page{number}.png")
    write(folder / "notes.txt", "no page")
    pages = PagesLoader().load(folder, media_id="doc")
    assert pages.clip.array.shape == (3, 6, 8, 3) and pages.clip.array[:, 0, 0, 0].tolist() == [1, 2, 10]
    assert pages.texts == ("", "", "")
    assert PagesLoader(pages=[3]).load(folder, media_id="doc").clip.array[:, 0, 0, 0].tolist() == [10]
    one = PagesLoader().load(folder / "page2.png", media_id="doc")
    assert one.clip.array.shape == (1, 6, 8, 3)


def test_pdfs_that_cannot_be_read(tmp_path: Path) -> None:
    whole = pdf([(*A4, "text")] * 3)
    cases = {
        "locked": (pdf([(*A4, "secret")], password=b"key"), "is encrypted; save it without a password"),
        "none": (pdf([]), "without pages"),
        "empty": (b"", "cannot be opened"),
        "noise": (np.random.default_rng(0).bytes(4000), "cannot be opened"),
        "cut": (whole[:300], "cannot be opened|no pages|damaged page"),
        "many": (pdf([(10, 10, "")] * 1001), "has 1001 pages, at most 1000"),
        "huge": (pdf([(14400, 14400, "")]), "lower the page option dpi"),
        "wide": (pdf([(1e9, 1, "")]), "page 1 of"),
    }
    for name, (content, message) in cases.items():
        path = write(tmp_path / f"{name}.pdf", content)
        with pytest.raises(ModalityError, match=message) as caught:
            PagesLoader().load(path, media_id="m")
        assert str(caught.value).startswith("m: ") and path.name in str(caught.value)


def test_a_pdf_without_a_user_password_is_readable_encryption(tmp_path: Path) -> None:
    path = write(tmp_path / "open.pdf", pdf([(*A4, "not secret")], password=b""))
    assert PagesLoader(dpi=36).load(path, media_id="d").texts == ("not secret",)


def test_all_pages_together_are_bounded_before_they_are_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "d.pdf", pdf([(*A4, "")] * 200))
    with pytest.raises(ModalityError, match=r"200 pages .* have 435240000 px, max_px is 268435456"):
        PagesLoader().load(path, media_id="d")


def test_pdfs_cut_or_flipped_anywhere_end_in_pages_or_a_named_error(tmp_path: Path) -> None:
    whole = pdf([(100, 100, "text"), (100, 100, "more")])
    generator = np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(whole[: generator.integers(1, len(whole))] if trial % 2 else whole)
        for at in generator.integers(0, len(damaged), 6):
            damaged[at] = generator.integers(256)
        path = write(tmp_path / "x.pdf", bytes(damaged))
        try:
            assert PagesLoader(dpi=20).load(path, media_id="m").clip.array.ndim == 4
        except ModalityError as error:
            assert str(error).startswith("m: ")


def load_texts(path: Path) -> tuple[str, ...]:
    return PagesLoader(dpi=20).load(path, media_id="d").texts


def test_threads_and_forked_processes_may_draw_at_once(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.pdf", pdf([(*A4, f"text {n}")] * 3)) for n in range(8)]
    expected = [(f"text {n}",) * 3 for n in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(load_texts, paths * 4)) == expected * 4
        with multiprocessing.get_context("fork").Pool(2) as workers:
            assert workers.map(load_texts, paths) == expected


def test_missing_and_wrong_page_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, message in (
        ("absent.pdf", "does not exist"),
        ("notes.txt", "holds no pages"),
        ("folder", "has no pages"),
    ):
        if name == "notes.txt":
            write(tmp_path / name, "x")
        with pytest.raises(ModalityError, match=f"m: .*{name} {message}"):
            PagesLoader().load(tmp_path / name, media_id="m")
    write(tmp_path / "cut.png", b"\x89PNG\r\n")
    with pytest.raises(ModalityError, match=r"m: .*cut\.png"):
        PagesLoader().load(tmp_path / "cut.png", media_id="m")


def test_where_pages_lie(tmp_path: Path) -> None:
    def locate(name: str) -> Path:
        return PagesLoader.locate(tmp_path, name, annotation="record 1")

    assert locate("a") == tmp_path / "a.pdf" and locate("b.png") == tmp_path / "b.png"
    (tmp_path / "a.jpg").touch()
    assert locate("a") == tmp_path / "a.jpg"
    (tmp_path / "a").mkdir()
    assert locate("a") == tmp_path / "a"
    for loader in (PagesLoader, ChartLoader, TableLoader):
        with pytest.raises(AnnotationError, match="record 1"):
            loader.locate(tmp_path, "../a", annotation="record 1")


# -- charts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif"])
def test_a_chart_of_any_format_with_its_table(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (9, 7), (200, 30, 30)).save(tmp_path / f"c{suffix}")
    path = ChartLoader.locate(tmp_path, "c", annotation="r")
    alone = ChartLoader().load(path, media_id="c")
    assert alone.table is None and alone.clip is not None and alone.clip.shape == "h w c"
    assert alone.clip.array.shape == (7, 9, 3)
    np.testing.assert_allclose(alone.clip.array[3, 4], (200, 30, 30), atol=8)
    write(tmp_path / "c.csv", "year,sold\n2020,3\n")
    both = ChartLoader().load(path, media_id="c")
    assert both.table is not None and both.table.rows == (("2020", "3"),)


def test_a_chart_may_be_a_table_alone(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "year,sold\n2020,3\n")
    chart = ChartLoader().load(ChartLoader.locate(tmp_path, "c", annotation="r"), media_id="c")
    assert chart.clip is None and chart.table is not None and chart.table.header == ("year", "sold")


def test_transparency_is_white_and_an_animation_is_its_first_picture(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "t.png")
    clip = ChartLoader().load(tmp_path / "t.png", media_id="t").clip
    assert clip is not None and (clip.array == 255).all()
    first, second = Image.new("RGB", (4, 4), (250, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 250))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    clip = ChartLoader().load(tmp_path / "a.gif", media_id="a").clip
    assert clip is not None and clip.array[0, 0].tolist() == [250, 0, 0]


def test_charts_that_cannot_be_read(tmp_path: Path) -> None:
    Image.new("RGB", (60, 60)).save(tmp_path / "whole.gif")
    cases = {"cut.gif": (tmp_path / "whole.gif").read_bytes()[:40], "noise.png": b"noise", "png.gif": b"\x89PNG"}
    for name, content in cases.items():
        with pytest.raises(ModalityError, match=f"m: .*{name}"):
            ChartLoader().load(write(tmp_path / name, content), media_id="m")
    for name, message in (("absent.png", "does not exist"), ("x.txt", "is no chart")):
        with pytest.raises(ModalityError, match=message):
            ChartLoader().load(tmp_path / name, media_id="m")


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "share, %", "note"], ["a", "1", "x"], ["b", "2", ""], ["c", "3", "z"]]
    text = "\n".join(delimiter.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    table = TableLoader().load(write(tmp_path / "t.csv", text), media_id="t")
    assert [list(table.header), *map(list, table.rows)] == rows


def test_cells_stay_the_text_they_are(tmp_path: Path) -> None:
    text = '\ufeffid,value\r\n007,NA\r\n=1+1,"two\r\nlines, ""quoted"""\r\n\r\n 3 ,1e5\r\n'
    table = TableLoader().load(write(tmp_path / "t.csv", text), media_id="t")
    assert table.header == ("id", "value")
    assert table.rows == (("007", "NA"), ("=1+1", 'two\r\nlines, "quoted"'), (" 3 ", "1e5"))


def test_one_column_tsv_and_utf16(tmp_path: Path) -> None:
    assert TableLoader().load(write(tmp_path / "t.csv", "a\n1\n2\n"), media_id="t").rows == (("1",), ("2",))
    tsv = TableLoader().load(write(tmp_path / "t.tsv", "a,b\tc\n1,2\t3\n"), media_id="t")
    assert tsv.header == ("a,b", "c")
    utf16 = TableLoader().load(write(tmp_path / "u.csv", "größe,b\n1,2\n".encode("utf-16")), media_id="t")
    assert utf16.header == ("größe", "b")
    chosen = TableLoader(delimiter="|").load(write(tmp_path / "v.csv", "a,b|c\n1,2|3\n"), media_id="t")
    assert chosen.rows == (("1,2", "3"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3\n4,5\n", r"line 3 of table .*t\.csv has 1 cells, its header 2"),
        ("a;b\n1;2\n3;4;5\n", r"line 3 .* has 3 cells, its header 2 \(cut at ';'\)"),
        ('a,b\n"1\n2",3\n4\n', "line 4 "),
        ('a,b\n1,"2\n', "cannot be read at line 2"),
        ("a,b\n", "has no rows"),
        ("", "has no header"),
        ("\n\n", "has no header"),
        (b"a,b\n\xff\xfe,2\n", "is no UTF-8 text"),
        (b"a,b\n1,\x00\n", "zero bytes"),
        ("a,b\n1," + "x" * 200_000 + "\n", "field larger than field limit"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, content: bytes | str, message: str) -> None:
    path = write(tmp_path / "t.csv", content)
    with pytest.raises(ModalityError, match=message) as caught:
        TableLoader().load(path, media_id="m")
    assert "m: " in str(caught.value) and str(path) in str(caught.value)


def test_table_bounds_options_and_places(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "a\tb\n1\t2\n")
    with pytest.raises(ModalityError, match="larger than max_bytes = 7"):
        TableLoader(max_bytes=7).load(path, media_id="m")
    assert TableLoader(max_bytes=8).load(path, media_id="m").rows == (("1", "2"),)
    with pytest.raises(ModalityError, match="does not exist"):
        TableLoader().load(tmp_path / "absent.csv", media_id="m")
    for options in ({"delimiter": ":"}, {"max_bytes": 0}):
        with pytest.raises(ConfigError, match="table: "):
            TableLoader(**options)
    assert TableLoader.locate(tmp_path, "t", annotation="r") == path
    assert TableLoader.locate(tmp_path, "u", annotation="r") == tmp_path / "u.csv"
