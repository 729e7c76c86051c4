"""Numbers are exact, and what may mean something else is none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lavis.experts.reading.numbers import Number, column_numbers, parsed_number, scaled, written


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("0", "0", ""),
        (" 12 ", "12", ""),
        ("-3.50", "-3.50", ""),
        ("−4", "-4", ""),
        ("1,234,567.8", "1234567.8", ""),
        (".5", "0.5", ""),
        ("1e5", "1E+5", ""),
        ("12.50 m", "12.50", "m"),
        ("40%", "40", "%"),
        ("$1,200", "1200", "$"),
        ("-$3", "-3", "$"),
        ("(3.2)", "-3.2", ""),
        ("20 °C", "20", "°C"),
        ("9 km/h", "9", "km/h"),
        ("5 €", "5", "€"),
    ],
)
def test_what_is_a_number(text: str, value: str, unit: str) -> None:
    assert parsed_number(text) == Number(Decimal(value), unit)


@pytest.mark.parametrize(
    "text",
    ["", "NA", "007", "12,5", "1,23,456", "1.234.567", "2020-01", "12:30", "A4", "3 of 4", "x", ".", "-", "1 2", "№5"],
)
def test_what_is_no_number(text: str) -> None:
    assert parsed_number(text) is None


def test_a_column_is_numeric_when_nine_of_ten_cells_are_numbers_of_one_unit() -> None:
    column = column_numbers(["1 kg", "2 kg", "", "NA", "2.5 kg"])
    assert column is not None and column.unit == "kg" and sum(column.values) == Decimal("5.5")
    assert column.places == (0, 1, 4) and column.n_missing == 2
    assert column_numbers(["1 kg", "2 g"]) is None and column_numbers(["1", "2", "x"]) is None
    assert column_numbers(["", "NA"]) is None and column_numbers([]) is None
    mixed = column_numbers([*map(str, range(1, 20)), "about 3"])
    assert mixed is not None and mixed.others == ("about 3",)
    assert sum((Decimal("0.1"),) * 10) == 1 and written(Decimal("1E+3")) == "1000" and written(Decimal("2.50")) == "2.5"
    assert scaled(Number(Decimal("2.5"), "k")) == Number(Decimal("2500"), "")
