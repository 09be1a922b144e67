"""Declared categories under a model that takes another form."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.schema import Column
from tests.pipeline.modeling.encoding.builders import encoder_of, frame_of

WORDS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("encode", "expected"),
    [
        ("codes", [[0, 0], [2, 0], [3, 0], [-1, 1]]),
        ("one_hot", [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]),
    ],
)
@pytest.mark.parametrize("form", ["codes", "one_hot"])
def test_a_declared_method_overrides_the_form_of_the_matrix(encode, expected, form) -> None:
    column = Column("x", "category", "category", nullable=True, categories=WORDS, encode={"method": encode})
    encoder = encoder_of([column], categories=form, missing="impute", missing_indicators="always")
    matrix = encoder.fit_transform(frame_of(["a", "c", "other", None], "category"))
    assert matrix.tolist() == expected


def test_categories_of_any_container_have_equal_codes() -> None:
    import pyarrow as pa

    column = Column("x", "category", "category", nullable=True, categories=WORDS)
    encoder = encoder_of([column]).fit(frame_of(WORDS, "category"))
    values = ["c", None, "?", "a"]
    forms = [values, pa.array(values), pa.chunked_array([values[:1], values[1:]]), frame_of(values, "category")["x"]]
    matrices = [encoder.transform({"x": form}) for form in forms]
    assert all(np.array_equal(matrix, matrices[0], equal_nan=True) for matrix in matrices)


@pytest.mark.parametrize(("unseen", "rare", "other"), [("other", 3, 3), ("refuse", 1, 3)])
def test_rare_words_of_an_open_column_show_what_another_word_means(unseen, rare, other) -> None:
    column = Column("x", "category", "category", categories=WORDS, unseen=unseen)
    encoder = encoder_of([column]).fit({"x": ["a"] * 6 + ["b"] * 2 + ["c"] * 5})
    assert encoder.transform({"x": ["a", "b", "c", "new"]})[:, 0].tolist() == [0, rare, 2, other]
