"""Durations become seconds."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.schema import TextFormat
from tests.pipeline.schema.text_values import parse_twice


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("02:03:04", 7384.0),
        ("2:03", 7380.0),
        ("-02:03:04.5", -7384.5),
        ("1 days 02:03:04", 93784.0),
        ("1 day, 2:03:04", 93784.0),
        ("-1 days +23:59:59", -1.0),
        ("3 days", 259200.0),
        ("PT2H3M4S", 7384.0),
        ("-P1DT1S", -86401.0),
        ("P1W", 604800.0),
        ("7384.5", 7384.5),
        ("P", "invalid"),
        ("2:60", "invalid"),
        ("a day", "invalid"),
    ],
)
def test_a_duration_becomes_seconds(text: str, seconds: Any) -> None:
    assert parse_twice(TextFormat("float", format="duration"), text) == seconds
