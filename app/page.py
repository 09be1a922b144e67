"""Parts that every page uses: access, title, error boundary, empty state, tables, charts and timestamps."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.errors import (
    ConfigError,
    Conflict,
    DatabaseDamaged,
    DatabaseMissing,
    DataError,
    DependencyUnavailable,
    GateRefused,
    IntegrityError,
    MlopsError,
    NotAllowed,
    UsageError,
)
from pipeline.text import format_age, short_timestamp
from pipeline.text import timestamp as format_timestamp

from . import formatting, html_table, login, palette, queries
from .chart_specs import ChartSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from . import charts
    from .chart_specs import ChartBuilder

__all__ = [
    "apply_style",
    "badge",
    "can_operate",
    "empty_state",
    "error_boundary",
    "now_us",
    "refresh_every",
    "render_page",
    "rerun_alone",
    "short_time",
    "show_chart",
    "show_error",
    "show_facts",
    "show_grid",
    "show_table",
    "stage_badge",
    "time_columns",
    "time_zone_label",
    "timestamp",
    "to_local_time",
    "user_time_zone",
]

_LOGGER = logging.getLogger("app")
_STYLE_SHEET = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
_ERROR_MESSAGES: tuple[tuple[type[MlopsError], str, str], ...] = (
    (DatabaseMissing, "The state database is missing", "Restore a backup; the message below names the guide."),
    (DatabaseDamaged, "The state database is damaged", "Restore a backup; the message below names the guide."),
    (ConfigError, "Invalid setting", "Fix the file named below; `mlops config check` reports the same."),
    (GateRefused, "Promotion blocked: gates failed", "The gates of this version are listed below."),
    (
        Conflict,
        "The state changed since you opened this page",
        "Someone else changed it first, or the schema version differs; the next step is below.",
    ),
    (DependencyUnavailable, "A service or database is unreachable", "Try again; the cause may be temporary."),
    (
        IntegrityError,
        "A stored file or row was changed or damaged",
        "The message below names it; `mlops verify` lists damaged files.",
    ),
    (NotAllowed, "Not allowed", ""),
    (DataError, "No results yet", ""),
    (UsageError, "Invalid request", ""),
)
_STAGE_COLORS = {"Production": "green", "Staging": "blue", "Archived": "gray", "None": "gray"}
_LEVEL_COLORS = {
    "pass": "green", "promote": "green", "ok": "green", "warning": "orange", "hold": "orange",
    "fail": "red", "reject": "red", "error": "red", "critical": "red",
}  # fmt: skip


def apply_style() -> None:
    """Apply the style sheet of the app in the colors of the user's theme."""
    colors = palette.style_variables(is_dark=_is_dark())
    badges = palette.badge_rules(is_dark=_is_dark())
    st.html(f"<style>:root {{ {colors} }}\n{_STYLE_SHEET}{badges}</style>")


def _is_dark() -> bool:
    return st.context.theme.type == "dark"


def render_page(title: str, description: str, body: Callable[[], None]) -> None:
    """Show a page to users with the role `viewer`: title, description and body; others see the login alone."""
    st.title(title)
    if _may_view():
        st.caption(description)
        error_boundary(body)


def refresh_every(interval_s: int | None, body: Callable[[], None]) -> None:
    """Show a part of a page, again after each interval, as long as the user has the role `viewer`."""

    @st.fragment(run_every=interval_s)
    def refresh() -> None:
        if _may_view():
            error_boundary(body)

    refresh()


def rerun_alone(body: Callable[[], None]) -> None:
    """Show a part of a page whose widgets run it again without the rest of the page."""
    refresh_every(None, body)


def _may_view() -> bool:
    """Return whether the user may see the page; if not, show the reason and the login."""
    try:
        is_allowed, reason = can_operate("viewer")
    except MlopsError as error:  # a login is configured, and the settings do not name its claim
        show_error(error)
        return False
    if is_allowed:
        return True
    st.info(reason, icon=":material/lock:")
    if login.has_login() and queries.current_user().denied_reason:
        st.button("Log in", icon=":material/login:", type="primary", on_click=st.login, key="log_in")
    return False


def error_boundary(body: Callable[[], None]) -> None:
    """Run a part of a page; show an error with the next step, and log an unexpected one."""
    try:
        body()
    except MlopsError as error:
        show_error(error)
    except Exception:
        _LOGGER.exception("a page failed")
        st.error(
            "An internal error occurred in this part of the page. The app's log has the traceback.",
            icon=":material/bug_report:",
        )


def show_error(error: MlopsError) -> None:
    """Show an error: its kind, the next step, and its message."""
    head, next_step = next(
        ((head, step) for kind, head, step in _ERROR_MESSAGES if isinstance(error, kind)), ("Error", "")
    )
    is_calm = isinstance(error, DataError) and "\n" not in str(error)
    text = str(error)
    if is_calm:
        empty_state(head, text)
        return
    st.error(f"**{head}.** {next_step}", icon=":material/error:")
    st.code(text, language=None, wrap_lines=True)


def empty_state(title: str, text: str) -> None:
    """Show a note in place of missing results; `text` names the next step."""
    with st.container(border=True):
        st.markdown(f"**:material/inbox: {formatting.escape_markdown(title)}**  \n{formatting.message_markdown(text)}")


def badge(label: str, *, color: str | None = None) -> None:
    """Show a badge in the color of its level or verdict."""
    st.badge(formatting.escape_markdown(label), color=_as_color(color or _LEVEL_COLORS.get(label, "gray")))


def stage_badge(stage: str) -> str:
    """Return the Markdown of a stage in its color."""
    return f":{_STAGE_COLORS.get(stage, 'gray')}-badge[{formatting.escape_markdown(stage)}]"


def _as_color(name: str) -> Any:
    return name


def show_chart(
    chart: charts.Chart | ChartBuilder,
    *,
    alt: str,
    key: str | None = None,
    is_selectable: bool = False,
    on_select: Callable[[], None] | None = None,
) -> Any:
    """Show a chart over the whole width in the colors of the page.

    Parameters
    ----------
    chart : Chart or partial
        A partial of a function and its arguments builds the chart once for equal arguments.
    alt : str
        Describes the chart for screen readers.
    key : str or None
    is_selectable : bool
        Whether a selection in the chart is returned, and a change runs the page again.
    on_select : callable, optional
        Called on a change before the page runs again; `st.session_state[key]` has the selection.
    """
    unchecked: Any = ChartSpec(chart, is_dark=_is_dark())
    if is_selectable:
        return st.altair_chart(unchecked, width="stretch", alt=alt, key=key, on_select=on_select or "rerun")
    return st.altair_chart(unchecked, width="stretch", alt=alt, key=key)


def show_table(rows: pd.DataFrame | Sequence[Mapping[str, Any]], *, caption: str = "", **options: Any) -> None:
    """Show short data as a standard HTML table; for long or selectable data use `show_grid`.

    Parameters
    ----------
    rows : DataFrame or sequence of mappings of column title to cell
        A cell is a value, a `html_table.Link` or a `html_table.Badge`.
    caption : str
        What the table shows, for screen readers.
    options
        Passed to `html_table.html_table`.
    """
    records: Any = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    st.html(html_table.html_table(records, caption=caption, **options))


def show_grid(rows: pd.DataFrame, **options: Any) -> Any:
    """Show long or selectable data as a data grid over the whole width, without its index."""
    return st.dataframe(rows, width="stretch", hide_index=True, **options)


def show_facts(facts: Mapping[str, Any]) -> None:
    """Show plain values as a table of names and values; the values of a nested mapping follow its name."""
    rows = list(_fact_rows(facts))
    if rows:
        show_table(pd.DataFrame(rows, columns=["Fact", "Value"]))
    else:
        st.caption("No further facts are recorded.")


def _fact_rows(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        label = f"{prefix}{formatting.humanize(str(name))}"
        if isinstance(value, dict):
            yield from _fact_rows(value, f"{label}: ")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for number, item in enumerate(value, 1):
                yield from _fact_rows(item if isinstance(item, dict) else {"": item}, f"{label} {number}: ")
        elif isinstance(value, float):
            yield label, formatting.format_number(value)
        else:
            yield label, formatting.setting_text(", ".join(map(str, value)) if isinstance(value, list) else value)


def user_time_zone() -> tzinfo:
    """Return the time zone of the user's browser."""
    return formatting.time_zone(st.context.timezone)


def time_zone_label() -> str:
    """Return the name of the user's time zone with its offset now, such as `Europe/Vienna (UTC+01:00)`."""
    zone = user_time_zone()
    offset = datetime.now(zone).strftime("%z")
    return f"{zone} (UTC{offset[:3]}:{offset[3:]})" if int(offset) else "UTC"


def now_us() -> int:
    """Return the current time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def time_columns(*columns: str) -> dict[str, Any]:
    """Return the settings of a table's timestamp columns; their tooltip names the offset from UTC."""
    offset = datetime.now(user_time_zone()).strftime("%z")
    tooltip = f"Your time zone, now UTC{offset[:3]}:{offset[3:]}" if int(offset) else "UTC"
    return {name: st.column_config.TextColumn(help=tooltip) for name in columns}


def to_local_time(timestamps_us: Sequence[int]) -> pd.DatetimeIndex:
    """Return timestamps (microseconds since 1970, UTC) as naive times of the user's zone, which charts need."""
    return pd.to_datetime(timestamps_us, unit="us", utc=True).tz_convert(user_time_zone()).tz_localize(None)


def timestamp(at_us: int) -> str:
    """Return a timestamp in the user's zone with its age."""
    return f"{format_timestamp(at_us, user_time_zone())} ({format_age(at_us, now_us())})"


def short_time(at_us: int) -> str:
    """Return a timestamp in the user's zone as day, month and time."""
    return short_timestamp(at_us, user_time_zone(), now=now_us())


def can_operate(role: str) -> tuple[bool, str]:
    """Return whether the user of this session has a role, and the reason if not."""
    reason = queries.current_user().explain_denial(role)
    return not reason, formatting.message_markdown(reason)
