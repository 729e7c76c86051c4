"""Numbers in cells and on axes: exact, with their unit; what may be a code, a date or a name is no number."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from decimal import Decimal

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", "–", "—", "?", "..."})
# A sign, digits with or without commas between thousands, decimals, an exponent.
NUMBER = re.compile(r"([+−–-]?)(\d{1,3}(?:,\d{3})+|\d+)?(\.\d+)?(?:[eE]([+-]?\d{1,3}))?")
BEFORE, AFTER = re.compile(r"^[$€£¥]"), re.compile(r"^(.*?[\d.])\s*(%|‰|°C|°F|°|[^\W\d_][\w/²³µ]{0,7}|[€$£¥])$")
SCALES = {"k": 3, "K": 3, "M": 6, "B": 9, "bn": 9}
# At least so much of a column are numbers, else it is text.
NUMERIC_SHARE = 0.9


@dataclasses.dataclass(frozen=True)
class Number:
    """A number as it was written.

    Attributes:
        value: exact.
        unit: what stood before or after it, empty where nothing did.
    """

    value: Decimal
    unit: str


@dataclasses.dataclass(frozen=True)
class ColumnNumbers:
    """The numbers of a column.

    Attributes:
        unit: the one unit that all have.
        places: positions of the cells that are numbers.
        values: their numbers.
        n_missing: cells that are empty or say that there is no value.
        others: texts of the cells that are neither.
    """

    unit: str
    places: tuple[int, ...]
    values: tuple[Decimal, ...]
    n_missing: int
    others: tuple[str, ...]


def is_missing(text: str) -> bool:
    """Return whether a cell says that there is no value."""
    return text.strip().lower() in MISSING


def parsed_number(text: str) -> Number | None:
    """Return the number that a text is, or None.

    ``1,234.5 kg``, ``$12``, ``40 %``, ``(3)`` for minus three and ``1e5`` are numbers. ``007`` is a code, ``12,5`` and
    ``1.234.567`` may mean two things, ``2020-01`` is a date: none is a number.
    """
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        inner = parsed_number(text[1:-1])
        return Number(-inner.value, inner.unit) if inner and inner.value > 0 else None
    sign = ""
    if text[:1] in "+-−–" and BEFORE.match(text[1:]):
        sign, text = text[0], text[1:]
    unit = ""
    if BEFORE.match(text):
        unit, text = text[0], text[1:].strip()
    if (after := AFTER.match(text)) and not NUMBER.fullmatch(text):
        text, unit = after[1], f"{unit}{after[2]}"
    match = NUMBER.fullmatch(sign + text)
    if match is None or not (match[2] or match[3]):
        return None
    whole = match[2] or "0"
    if len(whole) > 1 and whole.startswith("0"):
        return None
    minus = "-" if match[1] in ("-", "−", "–") else ""
    exponent = f"E{match[4]}" if match[4] else ""
    return Number(Decimal(f"{minus}{whole.replace(',', '')}{match[3] or ''}{exponent}"), unit)


def scaled(number: Number) -> Number:
    """Return a number whose unit is a scale (``2.5k``, ``3M``) written out."""
    if number.unit not in SCALES:
        return number
    return Number(number.value.scaleb(SCALES[number.unit]), "")


def column_numbers(cells: Sequence[str]) -> ColumnNumbers | None:
    """Return the numbers of a column, or None where it is a column of text.

    Nine of ten cells that say anything are numbers, all of one unit.

    Args:
        cells: texts.
    """
    found = [None if is_missing(cell) else parsed_number(cell) for cell in cells]
    places = tuple(k for k, number in enumerate(found) if number is not None)
    others = tuple(cell for cell, number in zip(cells, found, strict=True) if number is None and not is_missing(cell))
    if not places or len(places) < NUMERIC_SHARE * (len(places) + len(others)):
        return None
    numbers = [number for number in found if number is not None]
    units = {number.unit for number in numbers}
    if len(units) > 1:
        return None
    n_missing = len(cells) - len(places) - len(others)
    return ColumnNumbers(units.pop(), places, tuple(number.value for number in numbers), n_missing, others)


def written(value: Decimal) -> str:
    """Return a number without an exponent and without needless zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
