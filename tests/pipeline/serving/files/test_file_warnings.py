"""Values outside of the training rows are named in each row of a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipeline.package import Bins, load_package
from pipeline.schema import DTYPES, Column, ColumnKind
from pipeline.serving.files.file_warnings import column_warnings, count_warnings, table_warnings

if TYPE_CHECKING:
    from pathlib import Path

DAY_US = 86_400_000_000


def warnings_of(kind: ColumnKind, bins: Bins, values: pa.Array) -> list[str]:
    texts = [""] * len(values)
    for text, positions in column_warnings(Column("a", kind, DTYPES[kind]), bins, values):
        for at in positions:
            texts[at] += text
    return texts


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


def test_all_warnings_are_counted_and_twenty_of_a_row_are_listed(packages: dict[str, Path]) -> None:
    package = load_package(packages["linear"])
    names = [f"n{number}" for number in range(23)]
    columns = tuple(Column(name, "float", "Float64") for name in names)
    bins = tuple(Bins(name, "quantiles", (0.0, 1.0), (5, 0, 0, 0)) for name in names)
    wide = replace(
        package,
        schema=replace(package.schema, columns=columns),
        reference=replace(package.reference, columns=bins),
    )
    rows = pa.table({name: [0.5, 2.0] for name in names})
    first, second = table_warnings(wide, rows).to_pylist()
    assert first is None
    assert second == "; ".join([*(f"{name}: out_of_range" for name in names[:20]), "and 3 more"])
    assert count_warnings(wide, rows) == {f"{name}: out_of_range": 1 for name in names}
