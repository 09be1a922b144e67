"""Counts of a column by parts, against those of the whole."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.validation.column_stats import ColumnAccumulator, ColumnStats


def count_parts(values: pa.Array, stops: list[int], *, stride: int = 3) -> ColumnStats:
    merged = ColumnAccumulator("size", "float", n_classes=2, stride=stride)
    for start, stop in zip([0, *stops], [*stops, len(values)], strict=True):
        part = ColumnAccumulator("size", "float", n_classes=2, stride=stride)
        part.add(values[start:stop], np.arange(start, stop) % 3, start)
        merged.merge(part)
    return merged.to_stats(len(values), is_private=False)


@pytest.mark.parametrize("n_distinct", [1_500, 2_000, 2_001], ids=["few", "at the limit", "more than the limit"])
def test_values_are_listed_up_to_the_limit_of_the_whole(n_distinct: int) -> None:
    values = pa.array((np.arange(3_000) % n_distinct).astype(float))
    whole, parts = count_parts(values, []), count_parts(values, [1_000, 2_000])
    assert (whole.n_distinct is None) == (n_distinct > 2_000)
    assert (parts.values, parts.counts_by_class.tolist()) == (whole.values, whole.counts_by_class.tolist())
    assert (parts.sample.tolist(), parts.sample_classes.tolist()) == (
        whole.sample.tolist(),
        whole.sample_classes.tolist(),
    )


def test_words_of_a_dictionary_that_no_row_has_are_not_counted() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([9_000, 9_000]), pa.array([str(at) for at in range(9_001)]))
    column = ColumnAccumulator("word", "category", n_classes=1, stride=1)
    column.add(words, np.zeros(2, dtype=np.int64), 0)
    assert column.to_stats(2, is_private=False).values == ("9000",)


def test_the_sign_of_zero_does_not_depend_on_the_parts() -> None:
    values = pa.array([0.0, -0.0, -0.0, 0.0])
    lows = [str(count_parts(values, stops).low) for stops in ([], [1], [3])]
    assert lows == ["0.0"] * 3
