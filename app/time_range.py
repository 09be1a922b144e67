"""The time range of a page: a preset such as the last day, or free ends; the address has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from pipeline.text import timestamp

from . import address, page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "PRESET_HOURS",
    "TimeRange",
    "address_moment",
    "choose_time_range",
    "parse_address_moment",
    "select_time_range",
]

PRESET_HOURS: Mapping[str, int] = {"1h": 1, "1d": 24, "3d": 72, "7d": 168, "30d": 720}
_PRESET_LABELS = {"1h": "1 hour", "1d": "24 hours", "3d": "3 days", "7d": "7 days", "30d": "30 days"}
_CUSTOM, _ALL = "custom", "all"
_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_LAST_YEAR = 9998  # a later moment has no local time in each zone
_ADDRESS_FORMAT = "%Y-%m-%dT%H:%MZ"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The moments from `since` to `until` (excluded), in microseconds since 1970, UTC.

    Attributes
    ----------
    since, until : int
    label : str
        The range for people, such as `24 hours`.
    preset : str
        Key of `PRESET_HOURS`, or `custom` or `all`.
    """

    since: int
    until: int
    label: str
    preset: str

    @property
    def hours(self) -> int:
        """The length in whole hours, at least 1."""
        return max(-(-(self.until - self.since) // _HOUR_US), 1)

    @property
    def is_live(self) -> bool:
        """Whether the range ends now, and so moves with the time."""
        return self.preset != _CUSTOM

    def until_now(self) -> TimeRange:
        """Return the range of the same length that ends now, for a page that refreshes itself."""
        now = page.now_us()
        return replace(self, since=max(now - (self.until - self.since), 0), until=now)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of an address that select this range."""
        if self.is_live:
            return {"range": self.preset}
        return {"range": _CUSTOM, "since": address_moment(self.since), "until": address_moment(self.until)}


def address_moment(at_us: int) -> str:
    """Return a moment as it is in an address: UTC, to the minute.

    Examples
    --------
    >>> address_moment(1_764_263_400_000_000)
    '2025-11-27T17:10Z'
    """
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime(_ADDRESS_FORMAT)


def choose_time_range(
    *, key: str, default: str = "1d", presets: Sequence[str] = tuple(PRESET_HOURS), with_all: bool = False
) -> TimeRange:
    """Show presets and, for the choice `Custom`, both ends; return the range that they select.

    An address without a usable range selects `default`. Free ends are in the user's zone on the page, in UTC in the
    address, and in order: a later start than end is exchanged.

    Parameters
    ----------
    key : str
        Prefix of the keys of the widgets.
    default : str
        A preset, or `all` if `with_all`.
    presets : sequence of str
        Keys of `PRESET_HOURS`.
    with_all : bool
        Whether the whole log can be selected.
    """
    options = [*presets, *([_ALL] if with_all else []), _CUSTOM]
    labels = {**_PRESET_LABELS, _ALL: "All", _CUSTOM: "Custom"}
    preset = address.choose(
        st.segmented_control,
        options,
        parameter="range",
        key=f"{key}_range",
        default=default,
        format_func=labels.__getitem__,
        label="Time range",
    )
    now = page.now_us()
    if preset == _CUSTOM:
        return _choose_ends(key, now)
    for name in ("since", "until"):
        st.query_params.pop(name, None)
    since = 0 if preset == _ALL else now - PRESET_HOURS[preset] * _HOUR_US
    return TimeRange(since, now, labels[preset], preset)


def _choose_ends(key: str, now: int) -> TimeRange:
    ends = []
    for name, label, default in (("since", "From", now - 24 * _HOUR_US), ("until", "To", now)):
        state_key = f"{key}_{name}"
        linked = parse_address_moment(st.query_params.get(name, "")) or default
        if state_key not in st.session_state:
            st.session_state[state_key] = _local_moment(linked)
        chosen = st.datetime_input(label, key=state_key, format="YYYY-MM-DD", step=60, width=220)
        # The hour that a change of clocks repeats has two moments; the address says which one it is.
        is_linked = chosen is None or chosen == _local_moment(linked)
        ends.append(linked // _MINUTE_US * _MINUTE_US if is_linked else _utc_us(chosen))
    since, until = sorted(ends)
    until = max(until, since + _MINUTE_US)
    st.query_params["since"], st.query_params["until"] = address_moment(since), address_moment(until)
    zone = page.user_time_zone()
    return TimeRange(since, until, f"{timestamp(since, zone)} to {timestamp(until, zone)}", _CUSTOM)


def select_time_range(key: str, *, since: int, until: int) -> None:
    """Select free ends for the next run of the page; `key` as for `choose_time_range`."""
    st.session_state[f"{key}_range"] = _CUSTOM
    st.session_state[f"{key}_since"], st.session_state[f"{key}_until"] = _local_moment(since), _local_moment(until)


def parse_address_moment(text: str) -> int | None:
    """Return a moment of an address in microseconds since 1970; None for another text or an earlier moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1970 < moment.year <= _LAST_YEAR:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


def _local_moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // _MINUTE_US * 60, page.user_time_zone()).replace(tzinfo=None)


def _utc_us(local: datetime) -> int:
    return int(local.replace(tzinfo=page.user_time_zone()).timestamp() * 1e6)
