"""A warning names the word that training never saw, unless its column is private."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.schema import Column
from pipeline.serving.rows.value_warnings import value_warning


def category(**changes: Any) -> Column:
    return Column("plan", "category", "category", categories=("basic", "pro"), **changes)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (category(unseen="other"), "gold", '"gold" is none of the known words; it is encoded as other'),
        (category(unseen="other"), "g" * 99, f'"{"g" * 60}..." is none of the known words; it is encoded as other'),
        (category(unseen="other"), "pro", '"pro" does not occur in the training rows; it is encoded as other'),
        (category(), "pro", '"pro" does not occur in the training rows'),
        (category(store="bin"), "pro", "the value occurs in few training rows, or in none"),
        (Column("n", "integer", "Int64"), 7, "7 does not occur in the training rows"),
        (Column("b", "boolean", "boolean"), True, "true does not occur in the training rows"),
    ],
)
def test_a_word_that_training_never_saw_is_named_unless_it_is_private(column: Column, value: Any, message: str) -> None:
    warning = value_warning(column, "unseen", value)
    assert (warning.feature, warning.rule, warning.message) == (column.name, "unseen", message)


@pytest.mark.parametrize("reason", ["below", "above"])
def test_a_value_beyond_the_training_range_is_an_extrapolation(reason: str) -> None:
    warning = value_warning(Column("spent", "float", "Float64"), reason, 1e9)
    assert warning.rule == "out_of_range"
    assert warning.message == f"the value is {reason} the training range; the prediction is an extrapolation"
