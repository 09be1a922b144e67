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


def open_column(*words: str) -> Column:
    return Column("x", "category", "category", nullable=True, categories=words, unseen="other")


def encode_in_training_and_after(words: list[str], later: list[str], form: str) -> tuple[list[float], list[float]]:
    encoder = encoder_of([open_column(*WORDS)], categories=form)
    matrix = encoder.fit_transform(frame_of(words, "category"))
    assert (
        encoder.from_dict(encoder.as_dict()).transform({"x": later}).tolist()
        == encoder.transform({"x": later}).tolist()
    )
    return matrix[:, 0].tolist(), encoder.transform({"x": later})[:, 0].tolist()


@pytest.mark.parametrize("more", [["gold"], ["gold"] * 9, ["c"] * 4])
def test_other_is_what_training_knows_of_unlisted_and_rare_words(more: list[str]) -> None:
    words = ["a"] * 5 + ["b"] * 6 + more
    matrix, later = encode_in_training_and_after(words, ["a", "b", "c", "gold", "never seen"], "codes")
    assert matrix == [0.0] * 5 + [1.0] * 6 + [3.0] * len(more)
    assert later == [0.0, 1.0, 3.0, 3.0, 3.0]


def test_without_a_row_of_another_word_other_is_the_most_frequent_word() -> None:
    matrix, later = encode_in_training_and_after(["a"] * 5 + ["b"] * 6, ["a", "c", "never seen"], "codes")
    assert (matrix, later) == ([0.0] * 5 + [1.0] * 6, [0.0, 1.0, 1.0])


def test_other_has_no_column_of_its_own() -> None:
    encoder = encoder_of([open_column(*WORDS)], categories="one_hot").fit(
        frame_of(["a"] * 5 + ["b", "gold"], "category")
    )
    assert encoder.transform({"x": ["a", "b", "gold", "?"]}).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_a_rare_word_of_a_closed_column_keeps_its_code() -> None:
    column = Column("x", "category", "category", categories=WORDS)
    assert encoder_of([column]).fit_transform(frame_of(["a", "c"], "category")).tolist() == [[0], [2]]
