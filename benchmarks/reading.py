"""How well text, tables and charts are read from pictures whose content is known, and how long it takes.

python benchmarks/reading.py [--charts] [--sizes PX ...] [--font FILE ...]

Text is drawn with the font inside Pillow and, where matplotlib is installed, its DejaVu fonts; charts need matplotlib.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.charts import Chart
from lavis.datasets.question import Media, Question
from lavis.experts.charts import ChartExpert
from lavis.experts.reading.engine import TextLine, shared_reader
from lavis.experts.reading.grid import read_grid
from lavis.experts.reading.order import reading_rows

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from drawings import drawn_table

# Charles Darwin, On the Origin of Species (1859), first paragraph; Jane Austen, Pride and Prejudice (1813).
PARAGRAPHS = (
    "When on board H.M.S. Beagle, as naturalist, I was much struck with certain facts in the distribution of the "
    "inhabitants of South America, and in the geological relations of the present to the past inhabitants of that "
    "continent. These facts seemed to me to throw some light on the origin of species.",
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a "
    "wife. However little known the feelings or views of such a man may be on his first entering a neighbourhood, this "
    "truth is so well fixed in the minds of the surrounding families.",
)
SIGNS = (
    ("EXIT", "darkgreen"),
    ("PLATFORM 9", "navy"),
    ("NO PARKING", "darkred"),
    ("Gate B12", "black"),
    ("STOP", "firebrick"),
)
TABLE = [
    ["Shop", "Opened", "Area", "Code", "Share"],
    ["North", "1998", "120.5 m", "007", "12.5%"],
    ["South", "2004", "98 m", "013", "NA"],
    ["West End", "2010", "1,240 m", "120", "40%"],
    ["Harbour", "2015", "75.25 m", "044", "7%"],
    ["Station", "2021", "310 m", "NA", "22%"],
]
SIZES_PX = (14, 18, 24, 36)


def distance(one: str, other: str) -> int:
    """Return the number of letters that must be put in, left out or changed."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def fonts(extra: Sequence[str]) -> dict[str, str | None]:
    """Return name to file; None is Pillow's own."""
    found: dict[str, str | None] = {"Pillow": None}
    if spec := importlib.util.find_spec("matplotlib"):
        folder = Path(str(spec.origin)).parent / "mpl-data" / "fonts" / "ttf"
        found |= {name: str(folder / f"{name}.ttf") for name in ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")}
    return found | {Path(path).stem: path for path in extra}


def font_of(path: str | None, size_px: int) -> Any:
    return ImageFont.load_default(size=size_px) if path is None else ImageFont.truetype(path, size_px)


def page(text: str, font: Any, size_px: int) -> np.ndarray:
    """Draw a paragraph in lines of some 60 letters."""
    lines, held = [], ""
    for word in text.split():
        if len(held) + len(word) > 60:
            lines, held = [*lines, held], ""
        held = f"{held} {word}".strip()
    lines.append(held)
    width = max(int(font.getlength(line)) for line in lines) + 40
    image = Image.new("RGB", (width, int(1.5 * size_px * len(lines)) + 40), "white")
    draw = ImageDraw.Draw(image)
    for k, line in enumerate(lines):
        draw.text((20, 20 + 1.5 * size_px * k), line, font=font, fill="black")
    return np.asarray(image)


def joined(lines: Sequence[TextLine]) -> str:
    return " ".join(" ".join(lines[k].text for k in row) for row in reading_rows([line.box_px for line in lines]))


def measure_text(extra: Sequence[str], sizes_px: Sequence[int]) -> None:
    print("| font | px | letters | CER % | CER without spaces % | s a picture |\n|---|---|---|---|---|---|")
    reader = shared_reader()
    all_wrong = all_letters = 0
    for name, path in fonts(extra).items():
        for size_px in sizes_px:
            font = font_of(path, size_px)
            pictures = [(text, page(text, font, size_px)) for text in PARAGRAPHS]
            for text, color in SIGNS:
                image = Image.new("RGB", (480, 240), color)
                ImageDraw.Draw(image).text((60, 80), text, font=font_of(path, 2 * size_px), fill="white")
                pictures.append((text, np.asarray(image)))
            wrong = bare = letters = 0
            start = time.perf_counter()
            read = [joined(reader.read(picture)) for _, picture in pictures]
            taken_s = (time.perf_counter() - start) / len(pictures)
            for (text, _), got in zip(pictures, read, strict=True):
                wrong += distance(text, got)
                bare += distance(text.replace(" ", ""), got.replace(" ", ""))
                letters += len(text)
            all_wrong, all_letters = all_wrong + wrong, all_letters + letters
            print(
                f"| {name} | {size_px} | {letters} | {100 * wrong / letters:.2f} | {100 * bare / letters:.2f} "
                f"| {taken_s:.2f} |",
                flush=True,
            )
    print(f"| all | | {all_letters} | {100 * all_wrong / all_letters:.2f} | | |\n")


def measure_tables() -> None:
    print("| table | cells right | without spaces | of | s |\n|---|---|---|---|---|")
    reader = shared_reader()
    for ruled in (True, False):
        for size_px in (16, 22):
            picture = drawn_table(TABLE, ruled=ruled, size_px=size_px, gap_px=18)
            start = time.perf_counter()
            grid = read_grid(picture, reader.read, certain=0.8)
            taken_s = time.perf_counter() - start
            cells = grid.cells if grid else []
            pairs = [
                (cell, cells[r][c] if r < len(cells) and c < len(cells[r]) else "")
                for r, row in enumerate(TABLE)
                for c, cell in enumerate(row)
            ]
            right = sum(a == b for a, b in pairs)
            bare = sum(a.replace(" ", "") == b.replace(" ", "") for a, b in pairs)
            kind = "ruled" if ruled else "without lines"
            print(f"| {kind}, {size_px} px | {right} | {bare} | {len(pairs)} | {taken_s:.2f} |", flush=True)
    print()


def charts() -> Iterator[tuple[str, np.ndarray, dict[str, dict[str, float]]]]:
    """Yield (name, picture, color to category to value) of charts drawn by matplotlib with its defaults."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    def picture(figure: Any) -> np.ndarray:
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        pyplot.close(figure)
        return np.asarray(Image.open(buffer).convert("RGB"))

    generator = np.random.default_rng(0)
    names = ["Apples", "Pears", "Plums", "Figs", "Limes"]
    years = ["2017", "2018", "2019", "2020", "2021"]
    for scale in (1, 40, 1000):
        one, two = np.round(generator.uniform(1, 10, (2, 5)) * scale, 1).tolist()
        first, second = dict(zip(names, one, strict=True)), dict(zip(names, two, strict=True))
        for kind in ("bars", "to the right", "grouped", "stacked", "below zero", "curves"):
            figure, axes = pyplot.subplots()
            axes.set_title("Sold per shop")
            truth = {"blue": first}
            if kind == "bars":
                axes.bar(names, one)
            elif kind == "to the right":
                axes.barh(names, one)
            elif kind == "grouped":
                axes.bar(np.arange(5) - 0.2, one, 0.4, label="North")
                axes.bar(np.arange(5) + 0.2, two, 0.4, label="South")
                axes.set_xticks(np.arange(5), names)
                axes.set_ylim(0, 13 * scale)
                axes.legend()
                truth["orange"] = second
            elif kind == "stacked":
                axes.bar(names, one, label="North")
                axes.bar(names, two, bottom=one, label="South")
                axes.set_ylim(0, 25 * scale)
                axes.legend()
                truth["orange"] = second
            elif kind == "below zero":
                signed = [value * (-1) ** k for k, value in enumerate(one)]
                axes.bar(names, signed)
                truth = {"blue": dict(zip(names, signed, strict=True))}
            else:
                axes.plot(years, one, label="North")
                axes.plot(years, two, label="South", marker="o")
                axes.set_ylim(0, 14 * scale)
                axes.legend()
                truth = {"blue": dict(zip(years, one, strict=True)), "orange": dict(zip(years, two, strict=True))}
            yield f"{kind}, up to {10 * scale}", picture(figure), truth
    figure, axes = pyplot.subplots()
    axes.pie([45, 30, 15, 10], labels=["Coal", "Gas", "Wind", "Sun"])
    slices = {"blue": {"Coal": 45.0}, "orange": {"Gas": 30.0}, "green": {"Wind": 15.0}, "red": {"Sun": 10.0}}
    yield "pie", picture(figure), slices
    for kind in ("scatter", "histogram"):
        figure, axes = pyplot.subplots()
        if kind == "scatter":
            axes.scatter(*generator.random((2, 50)))
        else:
            axes.hist(generator.normal(size=400), bins=20)
        yield kind, picture(figure), {}


def measure_charts() -> None:
    """Count values that are told at the right category and colour; their error is of the largest value."""
    print("| chart | told | of | wrong ones told | median error % | largest % | s |\n|---|---|---|---|---|---|---|")
    question = Question("q", "How many?", Media("c", {}))
    for name, picture, truth in charts():
        clip = Clip("c", "chart", picture, "h w c", "uint8 RGB", Path("c.png"))
        start = time.perf_counter()
        text = ChartExpert().write(Chart(clip, None), question=question)
        taken_s = time.perf_counter() - start
        told: dict[tuple[str, str], float] = {}
        for line in text.splitlines():
            if line.startswith("- "):
                color = re.search(r"\b(blue|orange|green|red)\b", line)
                for category, value in re.findall(r"(\w+): about (-?[\d.]+)", line):
                    told[(color[1] if color else "", category)] = float(value)
        wanted = {(color, category): value for color, row in truth.items() for category, value in row.items()}
        most = max((abs(value) for value in wanted.values()), default=1.0)
        errors = [100 * abs(told[key] - value) / most for key, value in wanted.items() if key in told]
        print(
            f"| {name} | {len(errors)} | {len(wanted)} | {len(told.keys() - wanted.keys())} "
            f"| {statistics.median(errors) if errors else float('nan'):.2f} | {max(errors, default=float('nan')):.2f} "
            f"| {taken_s:.2f} |",
            flush=True,
        )


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charts", action="store_true", help="charts alone")
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES_PX, help="of letters, px")
    parser.add_argument("--font", nargs="*", default=[], help="further font files")
    arguments = parser.parse_args()
    start = time.perf_counter()
    shared_reader()
    loaded_s = time.perf_counter() - start
    shared_reader().read(page("warm", font_of(None, 20), 20))
    print(f"Start-up: {loaded_s:.2f} s, and {time.perf_counter() - start - loaded_s:.2f} s for the first picture.\n")
    if not arguments.charts:
        measure_text(arguments.font, arguments.sizes)
        measure_tables()
    if importlib.util.find_spec("matplotlib"):
        measure_charts()
    else:
        print("matplotlib is not installed: no charts were measured.")


if __name__ == "__main__":
    main()
