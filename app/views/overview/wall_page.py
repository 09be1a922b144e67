"""The wall page: the status of production in letters that are read from afar, refreshed every 15 seconds."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from pipeline.production_status.production_metrics import production_metrics
from pipeline.text import visible_line

from ... import formatting, links, page
from ...page_charts import overview_charts
from ...page_queries import monitoring_queries, production_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.production_status import ComponentStatus, ProductionStatus
    from pipeline.production_status.production_metrics import ProductionMetric

__all__ = ["render", "wall_html"]

_REFRESH_S = 15
_N_HOURS = 48
_MAX_METRICS = 6
# The page has the whole window; links at its end lead back.
_WALL_STYLE = """<style>
[data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stExpandSidebarButton"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: 1rem 2rem; max-width: none; }
</style>"""
_SYMBOLS = {"healthy": "\u2713", "unknown": "?", "degraded": "!", "down": "\u2715"}
_VERDICT_STATES = {"ok": "healthy", "watch": "watch", "degraded": "degraded"}


def render() -> None:
    """Show the page."""
    st.html(_WALL_STYLE)
    page.refresh_every(_REFRESH_S, _show_wall)
    links.show_link("Overview", "overview", icon="arrow_back")


def _show_wall() -> None:
    facts = production_queries.recent_production_facts()
    status = production_queries.production_status(page.user_time_zone(), facts)
    engine = production_queries.engine_status(facts.checked_at)
    components = [*status.components, *([] if engine is None else [engine])]
    run = None if facts.database.model is None else facts.database.model.monitor_run
    st.html(wall_html(status, components, production_metrics(run)[:_MAX_METRICS]))
    if status.component("database").state != "down":
        page.error_boundary(lambda: _show_traffic(facts.model))


def _show_traffic(model: str) -> None:
    hours = monitoring_queries.hourly_activity(model, _N_HOURS).predictions
    n_rows = sum(hour.n_predictions for hour in hours)
    st.markdown(f"**Predictions by hour, last {_N_HOURS} hours: {n_rows:,.0f}**")
    if hours:
        frame = overview_charts.hourly_frame(hours, n_hours=_N_HOURS, now=page.now_us(), zone=page.user_time_zone())
        page.show_chart(overview_charts.traffic_area(frame), alt=f"Predictions by hour of the last {_N_HOURS} hours")


def wall_html(
    status: ProductionStatus, components: Sequence[ComponentStatus], changes: Sequence[ProductionMetric]
) -> str:
    """Return the sentence, a tile for each component, and a tile for each metric with its value in training."""
    tiles = "".join(_component_tile(component, status) for component in components)
    metrics = "".join(_metric_tile(change) for change in changes)
    note = "" if metrics else '<p class="note">No metrics against training yet: too few rows, or no monitor run.</p>'
    return (
        f'<div class="mlops-wall"><h1 class="{status.state}"><span aria-hidden="true">{_SYMBOLS[status.state]}</span>'
        f" {_text(status.sentence)}</h1>"
        f'<div class="tiles components">{tiles}</div>'
        f'<h2>Metrics against training, last run of the monitor</h2><div class="tiles">{metrics}</div>{note}</div>'
    )


def _component_tile(component: ComponentStatus, status: ProductionStatus) -> str:
    since = component.since_text(status.checked_at, status.zone) or "since unknown"
    return (
        f'<div class="tile {component.state}"><b>{_text(component.label)}</b>'
        f'<span class="value"><span aria-hidden="true">{_SYMBOLS[component.state]}</span>'
        f" {_text(component.summary)}</span><small>{component.state}, {_text(since)}</small></div>"
    )


def _metric_tile(change: ProductionMetric) -> str:
    state = "unknown" if change.verdict is None else _VERDICT_STATES.get(change.verdict, "unknown")
    difference = "" if change.relative_change is None else f" ({change.relative_change:+.0%})"
    source = "measured" if change.is_measured else "estimated"
    return (
        f'<div class="tile {state}"><b>{_text(change.label)}</b>'
        f'<span class="value">{formatting.format_number(change.value)}</span>'
        f"<small>{source}, training {formatting.format_number(change.training)}{difference}</small></div>"
    )


def _text(value: str) -> str:
    return escape(visible_line(value).replace("`", ""))
