"""Texts become values by their declared form, one at a time and in columns alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.cell_parsers import parse_column
from pipeline.schema import TextFormat

ISO_DAY = "2024-05-14"
MOMENT = "2024-05-14T16:05:09"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def parse_twice(text_format: TextFormat, text: str) -> Any:
    """Return the value of a text, or "invalid", after a comparison of the two ways to read it."""
    values, invalid = parse_column(pa.array([text], pa.string()), text_format)
    try:
        value = text_format.parse(text)
    except ValueError:
        value = "invalid"
    assert value == ("invalid" if invalid.size else values[0].as_py())
    return value


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("%d.%m.%Y", "14.05.2024", ISO_DAY),
        ("%d.%m.%Y", "14.5.2024", ISO_DAY),
        ("%d.%m.%Y", ISO_DAY, ISO_DAY),
        ("%d/%m/%Y", "03/04/2024", "2024-04-03"),
        ("%m/%d/%Y", "03/04/2024", "2024-03-04"),
        ("%m/%d/%Y %H:%M:%S", "9/30/1990 0:00:00", "1990-09-30"),
        ("%Y/%m/%d", "2012/01/01", "2012-01-01"),
        ("%Y%m%d", "20240514", ISO_DAY),
        ("%Y%m%d%H%M", "202405141605", "2024-05-14T16:05"),
        ("%B %d, %Y", "May 14, 2024", ISO_DAY),
        ("%d-%b-%y", "14-May-24", ISO_DAY),
        ("%d-%b-%y", "14-MAY-69", "1969-05-14"),
        ("%d-%b-%y", "14-May-68", "2068-05-14"),
        ("%a %b %d %Y", "Tue May  7 2024", "2024-05-07"),
        ("%m/%Y", "5/2024", "2024-05-01"),
        ("%b %Y", "May 2024", "2024-05-01"),
        ("%Y", "2024", "2024-01-01"),
        ("%d/%m/%Y %I:%M %p", "14/05/2024 12:05 am", "2024-05-14T00:05"),
        ("%d/%m/%Y %I:%M %p", "14/05/2024 12:05 p.m.", "2024-05-14T12:05"),
        ("%Y-%d-%m", "2024-03-04", "2024-04-03"),
        ("%Y-%d-%m", "2024-03-04T00:00:00", "2024-03-04"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-05-14T18:05:09+02:00", MOMENT),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-05-14 16:05:09.500000000", "2024-05-14T16:05:09.5"),
        ("epoch_s", "1715702709", MOMENT),
        ("epoch_s", "1715702709.25", "2024-05-14T16:05:09.25"),
        ("epoch_ms", "1715702709000", MOMENT),
        ("epoch_us", "1715702709000000", MOMENT),
        ("epoch_ns", "1715702709000000000", MOMENT),
        ("epoch_days", "19857", ISO_DAY),
        ("epoch_s", MOMENT, MOMENT),
    ],
)  # fmt: skip
def test_a_moment_is_read_by_its_declared_form(form: str, text: str, moment: str) -> None:
    assert parse_twice(TextFormat("datetime", format=form), text) == day(moment)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d.%m.%Y", "31.02.2024"),
        ("%d.%m.%Y", "14.05.2024 "),
        ("%d.%m.%Y", "05/14/2024"),
        ("%m/%d/%Y", "14/05/2024"),
        ("%Y%m%d", "2024514"),
        ("%B %d, %Y", "Mai 14, 2024"),
        ("%H:%M %d.%m.%Y", "24:00 14.05.2024"),
        ("%Y", "0000"),
        ("epoch_s", "1e18"),
        ("epoch_ms", "soon"),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-05-14 16:05:09.123456789"),
    ],
)
def test_a_text_of_another_form_is_invalid(form: str, text: str) -> None:
    assert parse_twice(TextFormat("datetime", format=form), text) == "invalid"


@pytest.mark.parametrize(
    ("zone", "text", "moment"),
    [
        ("UTC", "2024-05-14T16:05:09Z", MOMENT),
        ("UTC", "2024-05-14 16:05:09", MOMENT),
        ("UTC", "2024-05-14T18:05:09+02:00", MOMENT),
        ("UTC", "2024-05-14T18:05:09.5+0200", "2024-05-14T16:05:09.5"),
        ("UTC", "2024-05-14T10:35-05:30", "2024-05-14T16:05"),
        ("Europe/Berlin", "2024-05-14T16:05:09Z", MOMENT),
        ("Europe/Berlin", "2024-05-14T18:05:09", MOMENT),
        ("Europe/Berlin", "2024-10-27T02:30:00", "2024-10-27T00:30:00"),
        ("Asia/Kathmandu", "2024-05-14T21:50:09", MOMENT),
        ("Europe/Berlin", "2024-03-31T02:30:00", "invalid"),
        ("UTC", "0001-01-01T00:00:00+01:00", "invalid"),
        (None, "2024-05-14T16:05:09Z", "invalid"),
    ],
)
def test_moments_with_a_zone_become_moments_in_utc(zone: str | None, text: str, moment: str) -> None:
    expected = moment if moment == "invalid" else day(moment)
    assert parse_twice(TextFormat("datetime", zone=zone), text) == expected


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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["%d.%m.%Y %H:%M:%S.%f", "%Y%m%d%H%M%S%f", "%m/%d/%Y %I:%M:%S.%f %p", "%d %B %Y %H:%M:%S.%f"]),
    st.sampled_from([None, "UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_a_written_moment_reads_back(moment: datetime, form: str, zone: str | None) -> None:
    local = moment if zone is None else moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone))
    value = parse_twice(TextFormat("datetime", format=form, zone=zone), local.strftime(form))
    # The second of two equal times in autumn reads as the first.
    assert value == moment or (local.fold and timedelta() < moment - value <= timedelta(hours=1))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.text(st.sampled_from("0123456789-+:. TZPDHMSdays%$"), max_size=12), min_size=1, max_size=6),
    st.sampled_from(
        [
            TextFormat("datetime", format="%d.%m.%y"),
            TextFormat("datetime", zone="Europe/Berlin"),
            TextFormat("datetime", format="epoch_ms", null_values=("-",)),
            TextFormat("float", format="duration"),
            TextFormat("float", strip=("$", "%")),
            TextFormat("integer", strip=("days",)),
        ]
    ),
)
def test_a_column_reads_each_text_as_it_reads_alone(texts: list[str], text_format: TextFormat) -> None:
    for text in texts:
        parse_twice(text_format, text)


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
