"""The monitoring page: data drift, model performance and traffic in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline.schema import FeatureLabels
from pipeline.text import timestamp

from ... import address, page, queries
from ...page_queries import monitoring_queries, window_queries
from ...time_range import choose_time_range
from ..incidents import incident_panel
from ..overview import health_summary
from . import (
    distribution_panel,
    drift_panel,
    performance_panel,
    time_frames,
    traffic_panel,
    window_status,
)

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

    from ...page_queries.window_queries import Baseline, WindowKey
    from ...time_range import TimeRange

__all__ = ["render"]

_BASELINE_LABELS: dict[Baseline, str] = {"training": "Training", "previous_window": "Previous period"}
_REFRESH_LABELS = {"off": "Off", "15": "15 s", "60": "1 min", "300": "5 min"}


def render() -> None:
    """Show the page."""
    page.render_page("Monitoring", "Data drift and model performance in production.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    if "Production" not in queries.current_deployment(model).versions:
        page.empty_state("No version is in Production yet", queries.production_step(model))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        time_range = choose_time_range(key=time_frames.RANGE_KEY)
        baseline: Baseline = address.choose(
            st.segmented_control,
            list(_BASELINE_LABELS),
            parameter="baseline",
            key="baseline",
            default="training",
            format_func=_BASELINE_LABELS.__getitem__,
            label="Compare with",
            help="Training: the training data. Previous period: the same number of hours just before.",
        )
        version = _select_version(model)
        interval = address.choose(
            st.selectbox,
            list(_REFRESH_LABELS),
            parameter="refresh",
            key="monitoring_refresh",
            default="off",
            format_func=_REFRESH_LABELS.__getitem__,
            label="Refresh",
            width=110,
        )
    page.refresh_every(
        None if interval == "off" else int(interval), lambda: _show_window(version, time_range, baseline)
    )


def _select_version(model: str) -> ModelVersion:
    versions = {version.version: version for version in queries.versions(model)}
    production = queries.current_deployment(model).versions["Production"]
    numbers = sorted(versions, reverse=True)
    selected = address.choose(
        st.selectbox,
        numbers,
        parameter="version",
        key="monitoring_version",
        default=production,
        format_func=lambda number: f"{number}, {versions[number].stage}",
        label="Version",
        width=180,
        help="Everything below covers predictions of this version; incidents cover the model",
    )
    return versions[selected]


def _show_window(version: ModelVersion, chosen: TimeRange, baseline: Baseline) -> None:
    if chosen.is_live:
        chosen = chosen.until_now()
    # A range that ends in the future is compared with as long a time before it.
    until = max(min(chosen.until, page.now_us()), chosen.since + 1)
    key = window_queries.WindowKey.of_range(version.model, version.version, (chosen.since, until))
    summary = window_queries.window_summary(key, baseline=baseline)
    package = queries.load_package(version.digest)
    labels = FeatureLabels.from_schema(package.schema)
    label = chosen.label if chosen.is_live else _label_of_ends(key)
    if not summary.traffic["total_predictions"]:
        _show_without_predictions(version, chosen, label)
        return
    status = window_status.window_status(summary, labels, drift_start=drift_panel.describe_start(summary.drift, labels))
    window_status.show_status(status, f"Version {version.version}, {label}")
    min_rows = queries.config().monitoring.min_rows
    window_status.show_cards(
        summary,
        labels,
        min_rows=min_rows,
        period=label if chosen.is_live else "period",
        passed=key.passed_share(page.now_us()),
    )
    _show_incidents(version.model)
    axis = time_frames.time_axis(version.model, since=key.since, until=key.until)
    drift_panel.show_drift(summary.drift, labels, axis)
    if not summary.drift.report["shortage"]:
        with st.container(border=True):
            distribution_panel.show_distribution(
                summary.drift,
                package,
                labels,
                key=key,
                axis=axis,
                baseline="training" if baseline == "training" else "previous period",
            )
    with st.container(border=True):
        page.error_boundary(lambda: performance_panel.show_performance(summary, package, labels, key=key, axis=axis))
    page.error_boundary(lambda: traffic_panel.show_traffic(summary, package, axis=axis, min_rows=min_rows))


def _label_of_ends(key: WindowKey) -> str:
    """Return the ends of what is evaluated, which a range of a day or more rounds to whole hours."""
    zone = page.user_time_zone()
    return f"{timestamp(key.since, zone)} to {timestamp(key.until, zone)}"


def _show_without_predictions(version: ModelVersion, chosen: TimeRange, label: str) -> None:
    _show_incidents(version.model)
    period = f"the last {label}" if chosen.is_live else f"the period {label}"
    counts = monitoring_queries.predictions_by_version(version.model, chosen.hours)
    page.empty_state(
        health_summary.describe_other_traffic(counts, version.version, period),
        "choose a longer time range or another version, or make a prediction on the page Predict",
    )


def _show_incidents(model: str) -> None:
    with st.container(border=True):
        page.error_boundary(lambda: incident_panel.show_incidents(model))
