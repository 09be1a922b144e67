"""What every page shares: its head, its empty states, the edge at which errors become words, and who may decide."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import formatting, queries
from pipeline.errors import (
    ConfigError,
    Conflict,
    DataError,
    DependencyUnavailable,
    GateRefused,
    IntegrityError,
    MlopsError,
    NotAllowed,
    UsageError,
)
from pipeline.text import timestamp as format_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from app import charts

__all__ = [
    "badge",
    "can_operate",
    "empty_state",
    "error_boundary",
    "now_us",
    "render_page",
    "show_chart",
    "show_error",
    "show_table",
    "stage_badge",
    "time_columns",
    "timestamp",
    "to_local_time",
    "user_time_zone",
]

_LOGGER = logging.getLogger("app")
_ERROR_MESSAGES: tuple[tuple[type[MlopsError], str, str], ...] = (
    (ConfigError, "A setting is refused", "Mend the file that is named; `mlops config check` says the same."),
    (GateRefused, "The gates say no", "Look at the gates of this version below."),
    (
        Conflict,
        "It is not as this page expects",
        "Somebody else was first, or this program is newer; what to do stands below.",
    ),
    (DependencyUnavailable, "Something that is needed cannot be reached", "It may come back by itself; try again."),
    (IntegrityError, "Bytes are not those that were written", "`mlops verify` says what is damaged; restore a backup."),
    (NotAllowed, "This is not allowed", ""),
    (DataError, "Nothing to show here yet", ""),
    (UsageError, "This does not work", ""),
)
_STAGE_COLORS = {"Production": "green", "Staging": "blue", "Archived": "gray", "None": "gray"}
_LEVEL_COLORS = {
    "pass": "green", "promote": "green", "ok": "green", "warning": "orange", "hold": "orange",
    "fail": "red", "reject": "red", "error": "red", "critical": "red",
}  # fmt: skip


def render_page(title: str, description: str, body: Callable[[], None]) -> None:
    """Show a page: title, one line on what it is for, and its body; what goes wrong in it is said in words."""
    st.title(title)
    st.caption(description)
    error_boundary(body)


def error_boundary(body: Callable[[], None]) -> None:
    """Run a part of a page; an error of ours is told with what to do, a bug goes to the log and never onto the page."""
    try:
        body()
    except MlopsError as error:
        show_error(error)
    except Exception:
        _LOGGER.exception("a page failed")
        st.error(
            "This part of the page met a bug. The trace is in the log of the app; the rest of the app works on.",
            icon=":material/bug_report:",
        )


def show_error(error: MlopsError) -> None:
    """Say what an error means for a person: what it is, what it says, what to do."""
    head, next_step = next(
        ((head, step) for kind, head, step in _ERROR_MESSAGES if isinstance(error, kind)), ("This did not work", "")
    )
    is_calm = isinstance(error, DataError) and "\n" not in str(error)
    text = str(error)
    if is_calm:
        empty_state(head, text)
        return
    st.error(f"**{head}.** {next_step}", icon=":material/error:")
    st.code(text, language=None, wrap_lines=True)


def empty_state(title: str, text: str) -> None:
    """Show a calm note where there is nothing yet; `text` says what to do."""
    with st.container(border=True):
        st.markdown(f"**:material/inbox: {formatting.escape_markdown(title)}**  \n{formatting.message_markdown(text)}")


def badge(word: str, *, color: str | None = None) -> None:
    """Show a word in the colour of its meaning."""
    st.badge(formatting.escape_markdown(word), color=_as_color(color or _LEVEL_COLORS.get(word, "gray")))


def stage_badge(stage: str) -> str:
    """Return the Markdown of a stage in its colour."""
    return f":{_STAGE_COLORS.get(stage, 'gray')}-badge[{formatting.escape_markdown(stage)}]"


def _as_color(name: str) -> Any:
    return name


def show_chart(drawn: charts.Chart, *, alt: str, key: str | None = None) -> None:
    """Show a chart over the whole width; `alt` says in words what it shows."""
    unchecked: Any = _UnvalidatedChart(drawn)
    st.altair_chart(unchecked, width="stretch", alt=alt, key=key)


class _UnvalidatedChart:
    """A chart that is not held to Vega-Lite's schema each time that it is shown: that takes most of the time, and tests do it."""

    def __init__(self, drawn: charts.Chart) -> None:
        self._chart = drawn

    def to_dict(self) -> Any:
        return self._chart.to_dict(validate=False)


def show_table(rows: Any, **options: Any) -> Any:
    """Show a table over the whole width, without its index."""
    return st.dataframe(rows, width="stretch", hide_index=True, **options)


def user_time_zone() -> tzinfo:
    """Return the reader's time zone."""
    return formatting.time_zone(st.context.timezone)


def now_us() -> int:
    """Return this moment in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def time_columns(*columns: str) -> dict[str, Any]:
    """Return how columns of moments are shown in a table: hovering over their name says how far the zone is from UTC."""
    offset = datetime.now(user_time_zone()).strftime("%z")
    told = f"Your time, now UTC{offset[:3]}:{offset[3:]}" if int(offset) else "UTC"
    return {name: st.column_config.TextColumn(help=told) for name in columns}


def to_local_time(moments: Sequence[int]) -> pd.DatetimeIndex:
    """Return moments (microseconds since 1970, UTC) in the reader's zone but without it, as charts want them."""
    return pd.to_datetime(moments, unit="us", utc=True).tz_convert(user_time_zone()).tz_localize(None)


def timestamp(at_us: int) -> str:
    """Return a moment in the reader's zone, and how long ago it was."""
    return f"{format_timestamp(at_us, user_time_zone())} ({formatting.format_age(at_us, now_us())})"


def can_operate(role: str) -> tuple[bool, str]:
    """Return whether this session's reader has a role, and if not, why, in words."""
    why_not = queries.current_user().explain_denial(role)
    return not why_not, formatting.message_markdown(why_not)
