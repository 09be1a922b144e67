"""Values outside of the training rows are named in each row of a table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.package import Bins
from pipeline.schema import DTYPES, Column, ColumnKind
from pipeline.serving.files.file_warnings import column_warnings, count_warnings

DAY_US = 86_400_000_000


def warnings_of(kind: ColumnKind, bins: Bins, values: pa.Array) -> list[str]:
    texts = dict(column_warnings(Column("a", kind, DTYPES[kind]), bins, values))
    return [texts.get(at, "") for at in range(len(values))]


@pytest.mark.parametrize(
    ("kind", "bins", "values", "rules"),
    [
        ("category", Bins("a", "words", ("x", "y"), (3, 0, 0, 0)), ["x", "y", "z", None], ["", "unseen", "unseen", ""]),
        ("boolean", Bins("a", "words", ("false", "true"), (0, 3, 0, 0)), [True, False, None], ["", "unseen", ""]),
        ("integer", Bins("a", "values", (1, 2), (1, 1, 0, 0, 0, 0)), [1, 0, 3, None], ["", "range", "range", ""]),
        ("integer", Bins("a", "values", (1, 9), (1, 1, 0, 0, 0, 0)), [1, 5, 9], ["", "unseen", ""]),
        ("float", Bins("a", "quantiles", (0.0, 1.0), (5, 0, 0, 0)), [0.5, -1.0, 2.0, None], ["", "range", "range", ""]),
        ("float", Bins("a", "quantiles", (0.0, 1.0), (5, 0, 0, 0)), [0.0, 1.0, None], ["", "", ""]),
        ("float", Bins("a", "quantiles", (), (0, 0, 5)), [0.5, None], ["range", ""]),
        ("text", Bins("a", "top_words", ("x",), (3, 9, 0)), ["x", "z", None], ["", "", ""]),
    ],
)
def test_a_value_outside_of_training_is_named(
    kind: ColumnKind, bins: Bins, values: list[Any], rules: list[str]
) -> None:
    texts = {"": "", "unseen": "a: unseen", "range": "a: out_of_range"}
    assert warnings_of(kind, bins, pa.array(values)) == [texts[rule] for rule in rules]


def test_a_date_beyond_training_is_named() -> None:
    bins = Bins("a", "quantiles", (0.0, 2.0 * DAY_US), (5, 0, 0, 0))
    moments = pa.array([0, DAY_US, 3 * DAY_US, None], pa.timestamp("us"))
    assert warnings_of("datetime", bins, moments) == ["", "", "a: out_of_range", ""]


def test_warnings_are_counted_one_by_one() -> None:
    texts = pa.chunked_array([["a: unseen", None, "a: unseen; b: out_of_range"], [None]])
    assert count_warnings(texts) == {"a: unseen": 2, "b: out_of_range": 1}
