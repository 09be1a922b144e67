"""Texts for people: counts, numbers, shares, moments and long texts round by one rule."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.monitoring import DriftReport
from pipeline.text import (
    format_age,
    format_duration,
    iso_timestamp,
    matches_stars,
    number,
    percent,
    pluralize,
    shorten,
    timestamp,
)


@pytest.mark.parametrize(("n", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12_000, "12,000 rows")])
def test_only_a_count_of_one_takes_the_singular(n: int, text: str) -> None:
    assert pluralize(n, "row") == text
    assert f": {text} against 5," in f"{DriftReport(5, n, ()).summary},"


def test_an_irregular_plural_replaces_the_s() -> None:
    assert (pluralize(1, "entry", "entries"), pluralize(3, "entry", "entries")) == ("1 entry", "3 entries")


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.5, "50%"),
        (0.95, "95%"),
        (0.1234, "12.3%"),
        (0.9666, "96.7%"),
        (0.0006, "0.1%"),
        (0.0003, "0.03%"),
        (0.000004, "0.0004%"),
        (1e-9, "under 0.0001%"),
        (0.9996, "99.96%"),
        (1 - 1e-9, "over 99.9999%"),
        (None, "not defined"),
        (math.nan, "not defined"),
    ],
)
def test_a_share_reads_as_a_percentage_with_one_decimal(share: float | None, text: str) -> None:
    assert percent(share) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_between_nothing_and_everything_never_reads_as_either(share: float) -> None:
    assert percent(share) not in ("0%", "100%")


@given(st.floats(0, 1))
def test_a_percentage_lies_within_half_a_decimal_of_its_share(share: float) -> None:
    text = percent(share)
    if text.startswith(("under", "over")):
        assert min(share, 1 - share) < 1e-6
    else:
        assert abs(float(text.removesuffix("%")) - 100 * share) <= 0.05 + 1e-9


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.96284, "0.9628"), (3, "3.0000"), (-0.5, "-0.5000"), (None, "not defined"), (math.nan, "not defined")],
)
def test_a_number_has_four_decimals(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_missing_number_reads_as_the_caller_asks() -> None:
    assert number(None, missing="-") == percent(None, missing="-") == "-"


@pytest.mark.parametrize(("value", "text"), [(0.01, "+0.0100"), (-0.01, "-0.0100"), (0.0, "+0.0000")])
def test_a_signed_number_shows_its_sign(value: float, text: str) -> None:
    assert number(value, signed=True) == text


@given(st.text(), st.integers(4, 80))
def test_a_shortened_text_fits_and_keeps_its_beginning(text: str, max_length: int) -> None:
    result = shorten(text, max_length)
    assert len(result) <= max_length
    assert result == text or (result.endswith("...") and text.startswith(result[:-3]))


def test_a_timestamp_names_its_time_zone() -> None:
    at_us = 1_767_225_600_000_000
    assert timestamp(at_us) == "2026-01-01 00:00:00 UTC"
    assert timestamp(at_us, ZoneInfo("Europe/Vienna")) == "2026-01-01 01:00:00 CET"


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis adds no zone here
def test_an_iso_timestamp_reads_back_to_the_second(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    text = iso_timestamp(round(aware.timestamp() * 1_000_000))
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == aware


def test_an_iso_timestamp_holds_milliseconds_on_request() -> None:
    assert iso_timestamp(1_767_225_600_250_000, "milliseconds") == "2026-01-01T00:00:00.250Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59, "59 seconds ago"), (60, "1 minute ago"), (7200, "2 hours ago"), (86_400 * 3, "3 days ago"), (-5, "just now")],
)
def test_an_age_has_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    assert format_age(0, seconds * 1_000_000) == text
    assert format_duration(max(seconds, 1) * 1_000_000) in f"{text} 1 second"


@pytest.mark.parametrize(
    ("name", "pattern", "is_match"),
    [("a.csv", "*.csv", True), ("a.csv.gz", "*.csv", False), ("[1].csv", "[1]*", True), ("b", "[ab]", False)],
)
def test_only_a_star_matches_other_characters(name: str, pattern: str, is_match: bool) -> None:
    assert matches_stars(name, pattern) is is_match
