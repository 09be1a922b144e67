"""Columns of moments and durations are read as single texts are."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema import TextFormat
from tests.pipeline.schema.text_values import parse_twice


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - stored moments have no zone
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
