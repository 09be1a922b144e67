"""A time range is in the address: as a preset, or as two moments in UTC."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.xdist_group("app")
_HOUR_US = 3_600_000_000


def app(**parameters: str) -> AppTest:
    at = AppTest.from_string(
        "import streamlit as st\nfrom app.time_range import choose_time_range\n"
        "chosen = choose_time_range(key='test', with_all=True)\n"
        "st.text(f'{chosen.since} {chosen.until} {chosen.preset} {chosen.hours}')\n"
    )
    for name, value in parameters.items():
        at.query_params[name] = value
    return at.run()


def chosen(at: AppTest) -> tuple[int, int, str, int]:
    since, until, preset, hours = at.text[0].value.split()
    return int(since), int(until), preset, int(hours)


def parameter(at: AppTest, name: str) -> str:
    value = at.query_params[name]
    return value if isinstance(value, str) else value[-1]


@pytest.mark.parametrize(("requested", "hours"), [("7d", 168), ("1h", 1), ("unknown", 24), ("", 24)])
def test_a_preset_ends_now(requested: str, hours: int) -> None:
    since, until, _, length = chosen(app(range=requested))
    assert (until - since, length) == (hours * _HOUR_US, hours)


def test_free_ends_are_read_in_utc_and_put_in_order() -> None:
    at = app(range="custom", since="2026-01-02T05:00Z", until="2026-01-02T03:30Z")
    since, until, preset, hours = chosen(at)
    assert (until - since, preset, hours) == (1.5 * _HOUR_US, "custom", 2)
    assert since == 1_767_324_600_000_000
    assert (parameter(at, "since"), parameter(at, "until")) == ("2026-01-02T03:30Z", "2026-01-02T05:00Z")


@pytest.mark.parametrize("end", ["yesterday", "9999-12-31T23:59Z", "0001-01-01T00:00Z"])
def test_an_unusable_end_is_replaced_by_the_last_day(end: str) -> None:
    since, until, _, hours = chosen(app(range="custom", since=end))
    assert (until - since, hours) == (24 * _HOUR_US, 24)


def test_both_hours_of_a_change_of_clocks_are_moments_of_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.page.user_time_zone", lambda: ZoneInfo("America/New_York"))
    at = app(range="custom", since="2026-11-01T06:30Z", until="2026-11-02T00:00Z")
    assert at.datetime_input[0].value.isoformat() == "2026-11-01T01:30:00"
    assert parameter(at.run(), "since") == "2026-11-01T06:30Z"
