"""One number with declared signs is read as a column of them is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.number_signs import rewrite_numbers
from pipeline.schema import TextFormat
from pipeline.schema.signed_numbers import plain_number

SIGNS = [(",", None), (",", "."), (",", " "), (".", ","), (".", "'"), (".", "_")]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.text(st.sampled_from("0123456789.,' _-$\u202f\u2019"), max_size=10), st.sampled_from(SIGNS))
def test_a_number_is_rewritten_as_in_a_column(text: str, signs: tuple[str, str | None]) -> None:
    decimal, thousands = signs
    column = rewrite_numbers(pa.array([text]), decimal=decimal, thousands=thousands)
    assert plain_number(text, decimal=decimal, thousands=thousands) == column[0].as_py()


@pytest.mark.parametrize(
    ("text_format", "text", "value"),
    [
        (TextFormat("float", decimal=","), "12,5", 12.5),
        (TextFormat("float", decimal=",", thousands="."), "1.234,5", 1234.5),
        (TextFormat("integer", thousands=","), "1,100", 1100),
        (TextFormat("float", strip=("$",), thousands=","), "$1,200.50", 1200.5),
        (TextFormat("float", strip=("Rs.",), decimal=","), "Rs.12,5", 12.5),
        (TextFormat("float", decimal=",", null_values=("n.a.",)), "n.a.", None),
        (TextFormat("float", decimal=","), 12.5, 12.5),
    ],
)
def test_a_request_may_have_numbers_with_the_signs_of_the_source(
    text_format: TextFormat, text: str | float, value: float | None
) -> None:
    assert text_format.read(text) == value


@pytest.mark.parametrize(
    ("text_format", "text"),
    [
        (TextFormat("float", decimal=","), "12.5"),
        (TextFormat("integer", thousands=","), "11,00"),
        (TextFormat("float", decimal=",", thousands="."), "1.23"),
    ],
)
def test_other_signs_are_refused(text_format: TextFormat, text: str) -> None:
    with pytest.raises(ValueError, match=r"a (whole )?number such as"):
        text_format.read(text)
