"""A column gives the same operand as a list, a Series and an Arrow array."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.expressions.operands import NO_MOMENT, Words, to_operand

COLUMNS = [
    ("float", [1.5, None, -2.0], "Float64", pa.float64()),
    ("integer", [1, None, 2**40], "Int64", pa.int64()),
    ("boolean", [True, None, False], "boolean", pa.bool_()),
    ("datetime", ["2026-01-31T10:00:00", None, "1960-05-01"], "datetime64[us]", pa.timestamp("us")),
    ("category", ["b", None, "a"], "category", pa.string()),
    ("text", ["", None, "ä"], "string", pa.string()),
]


def plain(operand: object) -> list[object]:
    if isinstance(operand, Words):
        return [None if code < 0 else operand.distinct[code] for code in operand.codes]
    return [None if value == NO_MOMENT or np.isnan(value) else value for value in operand]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "values", "dtype", "arrow"), COLUMNS)
def test_three_forms_of_a_column_give_one_operand(kind, values, dtype, arrow) -> None:
    series = pd.Series(pd.to_datetime(values, format="ISO8601") if kind == "datetime" else values).astype(dtype)
    forms = [
        values,
        series,
        pa.array(series, type=arrow, from_pandas=True),
        pa.chunked_array([pa.array(series, arrow)]),
    ]
    expected = plain(to_operand(kind, values))
    assert expected[1] is None
    assert [plain(to_operand(kind, form)) for form in forms] == [expected] * len(forms)


def test_words_are_looked_up_once() -> None:
    words = to_operand("text", ["a", "b", "a", None])
    calls: list[str] = []

    def length(word: str) -> float:
        calls.append(word)
        return float(len(word))

    parts = [words.take(slice(start, start + 2)).lookup("length", length) for start in (0, 2)]
    assert (calls, parts[0].tolist(), parts[1][0]) == (["a", "b"], [1.0, 1.0], 1.0)
