"""The values of a column are the same whether a list, a Series or an Arrow array holds them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.schema.column_values import factorize_texts, to_float64, to_moments

FORMS = [
    lambda values, dtype: values,  # noqa: ARG005 - a list has no dtype
    lambda values, dtype: pd.Series(values, dtype=dtype),
    lambda values, dtype: pa.array(pd.Series(values, dtype=dtype)),
    lambda values, dtype: pa.chunked_array([pa.array(pd.Series(values, dtype=dtype))] * 1),
]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_alike(form) -> None:
    numbers = to_float64(form([1.5, None, -2.0], "Float64"))
    assert np.array_equal(numbers, [1.5, np.nan, -2.0], equal_nan=True)
    flags = to_float64(form([True, None, False], "boolean"))
    assert np.array_equal(flags, [1.0, np.nan, 0.0], equal_nan=True)
    moments = to_moments(form(["2026-01-31T10:00:00", None], "datetime64[us]"))
    assert moments.astype(str).tolist() == ["2026-01-31T10:00:00.000000", "NaT"]
    positions, texts = factorize_texts(form(["b", None, "a", "b"], "string"))
    assert (positions.tolist(), list(texts)) == ([0, -1, 1, 0], ["b", "a"])


def test_an_array_of_numbers_is_not_copied() -> None:
    numbers = np.array([1.0, 2.0])
    assert to_float64(numbers) is numbers
