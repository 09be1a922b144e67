"""Forms of moments are strict, and their moments are in UTC."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeline.schema import TextFormat
from tests.pipeline.schema.text_values import parse_twice

ISO_DAY = "2024-05-14"
MOMENT = "2024-05-14T16:05:09"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


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
