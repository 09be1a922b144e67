from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.number_signs import parse_cells, rewrite_columns, rewrite_numbers
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind


@pytest.mark.parametrize(
    ("decimal", "thousands", "cells"),
    [
        (".", None, {"1.5": "1.5", "1,5": "1,5"}),
        (",", None, {"1,5": "1.5", "-0,25": "-0.25", "7": "7", "1.5": "1,5", "1e3": "1e3"}),
        (".", ",", {"1,100": "1100", "-12,345.5": "-12345.5", "950": "950", "1100": "1100", "1,234,567": "1234567"}),
        (
            ".",
            ",",
            {"1,10": "1,10", "0,100": "0,100", "1234,567": "1234,567", "1,100.5.5": "1,100.5.5", ",100": ",100"},
        ),
        (",", ".", {"1.100,5": "1100.5", "1.100": "1100", "12,5": "12.5", "1.10": "1,10"}),
        (",", " ", {"1 100,5": "1100.5", "1\u00a0100": "1100", "1\u202f100": "1100", "1 10": "1 10"}),
        (".", ",", {"1,234,567,890.5": "1234567890.5"}),
        (".", " ", {"1 200 300 kg": "1200300 kg", "$ 1 200": "$ 1200"}),
        (".", "'", {"1'100.5": "1100.5", "1\u2019100": "1100"}),
        (".", "_", {"1_100": "1100"}),
        (".", ",", {"$1,100.50": "$1100.50", "1,100 kg": "1100 kg"}),
        (",", ".", {"1.100,50 \u20ac": "1100.50 \u20ac"}),
    ],
)
def test_numbers_are_rewritten_to_plain_ones(decimal: str, thousands: str | None, cells: dict[str, str]) -> None:
    texts = pa.array([None, *cells, None])
    assert rewrite_numbers(texts, decimal=decimal, thousands=thousands).to_pylist() == [None, *cells.values(), None]
    part = rewrite_numbers(texts.slice(1), decimal=decimal, thousands=thousands)
    assert part.to_pylist() == [*cells.values(), None]


def test_words_and_signs_around_numbers_are_those_of_the_column() -> None:
    text_format = TextFormat("float", null_values=("k.A.", "n,a"), strip=("Fr.", "\u20ac"))
    dialect = CsvDialect(decimal=",", thousands=".")
    texts = pa.array(["Fr. 1.100,50", "7,5 \u20ac", "k.A.", "n,a", None, "n.a"])
    values, invalid = parse_cells(texts, text_format, dialect=dialect)
    assert (values.to_pylist(), invalid.tolist()) == ([1100.5, 7.5, None, None, None, None], [5])


@pytest.mark.parametrize("kind", ["text", "category"])
def test_texts_have_no_signs(kind: ColumnKind) -> None:
    dialect = CsvDialect(decimal=",", thousands=".")
    assert parse_cells(pa.array(["1.100,5"]), TextFormat(kind), dialect=dialect)[0].to_pylist() == ["1.100,5"]


def test_words_remain_where_numbers_are_rewritten() -> None:
    table = pa.table({"spent": ["1,5", "k.A.", None]})
    rewritten = rewrite_columns(table, ["spent"], dialect=CsvDialect(delimiter=";", decimal=","))
    assert rewritten.column("spent").to_pylist() == ["1.5", "k.A.", None]
