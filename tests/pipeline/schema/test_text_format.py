"""Texts become values by their declared form, one at a time and in columns alike."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.schema import TextFormat
from tests.pipeline.schema.text_values import parse_twice


@pytest.mark.parametrize(
    ("text_format", "text", "value"),
    [
        (TextFormat("float", strip=("$",)), "$12.50", 12.5),
        (TextFormat("float", strip=("$",)), "-$12.50", -12.5),
        (TextFormat("float", strip=("$",)), "$ -12.50", -12.5),
        (TextFormat("float", strip=("%",)), "5 %", 5.0),
        (TextFormat("integer", strip=("kg", "kgs")), "12 kgs", 12),
        (TextFormat("integer", strip=("kg",)), "12", 12),
        (TextFormat("float", strip=("$",)), "$", "invalid"),
        (TextFormat("float", strip=("$",)), "5%", "invalid"),
        (TextFormat("integer", strip=("kg",)), "007kg", "invalid"),
        (TextFormat("float", null_values=(" ", "unknown")), "unknown", None),
        (TextFormat("integer", null_values=("?",)), "?", None),
        (TextFormat("category", null_values=("NA",)), "NA", None),
        (TextFormat("datetime", null_values=("never",)), "never", None),
        (TextFormat("float", null_values=("?",)), "??", "invalid"),
        (TextFormat("boolean", true_values=("Y", "yes"), false_values=("N", "no")), "yes", True),
        (TextFormat("boolean", true_values=("Y", "yes"), false_values=("N", "no")), "N", False),
        (TextFormat("boolean", true_values=("Y",), false_values=("N",)), "true", True),
        (TextFormat("boolean", true_values=("1",), false_values=("2",)), "2", False),
        (TextFormat("boolean", true_values=("Y",), false_values=("N",)), "y", "invalid"),
        (TextFormat("integer"), "9223372036854775808", "invalid"),
        (TextFormat("float"), "1e999", "invalid"),
        (TextFormat("datetime"), "2026-02-30", "invalid"),
    ],
)
def test_numbers_words_and_missing_values_are_read_as_declared(text_format: TextFormat, text: str, value: Any) -> None:
    assert parse_twice(text_format, text) == value


@pytest.mark.parametrize(
    ("text_format", "message"),
    [
        (TextFormat("integer", format="%Y"), "format: found '%Y'; a form is declared for dtype datetime64"),
        (TextFormat("datetime", format="%d.%m"), r"format: '%d.%m' needs one year: %Y or %y"),
        (TextFormat("datetime", format="%d.%Y"), r"needs one month"),
        (TextFormat("datetime", format="%Q"), "'%Q' is not known"),
        (TextFormat("datetime", format="%Y %m %m"), "a part occurs twice"),
        (TextFormat("datetime", format="%Y-%m-%d %I:%M"), "needs %I and %p together"),
        (TextFormat("datetime", zone="Mars"), "zone: found 'Mars'; write an IANA zone"),
        (TextFormat("float", zone="UTC"), "zone: is a key of columns with dtype datetime64"),
        (TextFormat("boolean", true_values=("yes",)), "both are declared together"),
        (TextFormat("boolean", true_values=("y",), false_values=("y",)), "a word occurs twice"),
        (TextFormat("text", strip=("$",)), "strip: lists texts around a number"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(text_format: TextFormat, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text_format.check()
