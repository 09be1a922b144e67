"""The health summary of the overview: feature drift and performance of the last 24 hours, of one named version."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.metrics.metric_labels import metric_label
from pipeline.schema import FeatureLabels
from pipeline.text import pluralize

from ... import charts, formatting, page, queries
from ...page_queries import monitoring_queries
from ..monitoring import drift_panel, window_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.state import ModelVersion

__all__ = ["describe_other_traffic", "show_health_summary", "version_with_traffic"]

_WINDOW_HOURS = 24
_PERIOD = "the last 24 hours"
_MAX_FEATURES = 8
_VERDICT_LABELS = {"ok": "ok", "watch": "watch", "degraded": "degraded"}


def show_health_summary(
    production: ModelVersion, versions: Sequence[ModelVersion], *, show_beside: Callable[[], None]
) -> None:
    """Show drift against `monitoring.baseline` and performance against training in the last 24 hours.

    `show_beside` fills the last third.

    After a promotion the version in Production has few rows. Then the summary is about the version that made the most
    predictions, and names it.
    """
    counts = monitoring_queries.predictions_by_version(production.model, _WINDOW_HOURS)
    number = version_with_traffic(counts, production.version, min_rows=queries.config().monitoring.min_rows)
    version = next(known for known in versions if known.version == number)
    if number != production.version:
        st.info(
            f"{describe_other_traffic(counts, production.version, _PERIOD)} Drift and performance below are those of"
            f" version {number}.",
            icon=":material/swap_horiz:",
        )
    summary = monitoring_queries.health_summary(version.model, number, _WINDOW_HOURS)
    left, middle, right = st.columns(3)
    with left, st.container(border=True, height="stretch"):
        labels = FeatureLabels.from_schema(queries.load_package(version.digest).schema)
        _show_feature_drift(summary.drift, labels, number)
    with middle, st.container(border=True, height="stretch"):
        _show_degradation(summary.degradation, number)
    with right, st.container(border=True, height="stretch"):
        page.error_boundary(show_beside)


def version_with_traffic(counts: Mapping[int, int], production: int, *, min_rows: int) -> int:
    """Return the version in Production, or the one with the most predictions if only that one has enough of them."""
    busiest = max(counts, key=lambda number: counts[number], default=production)
    is_instead = counts.get(production, 0) < min_rows <= counts.get(busiest, 0)
    return busiest if is_instead else production


def describe_other_traffic(counts: Mapping[int, int], number: int, period: str) -> str:
    """Return how many predictions a version made in a period, and how many the others made.

    Examples
    --------
    >>> describe_other_traffic({2: 0, 1: 10_673}, 2, "the last day")
    'Version 2 made no predictions in the last day; version 1 made 10,673.'
    """
    n = counts.get(number, 0)
    made = pluralize(n, "prediction") if n else "no predictions"
    others = [f"version {other} made {count:,}" for other, count in counts.items() if count and other != number]
    return f"{'; '.join([f'Version {number} made {made} in {period}', *others])}."


def _show_feature_drift(report: dict[str, Any], labels: FeatureLabels, number: int) -> None:
    st.markdown(f"**Feature drift of version {number}, last 24 hours**", help="Details are on the page Monitoring")
    rows = pluralize(report["n_rows"], "row")
    st.caption(formatting.message_markdown(f"{window_status.drift_sentence(report, labels)} ({rows})"))
    if report["shortage"]:
        return
    ordered = drift_panel.drift_ratio_frame(report, labels)
    page.show_chart(
        partial(charts.drift_ratios, ordered.head(_MAX_FEATURES)),
        alt="Drift as a multiple of its limit, by feature; the line is the limit",
    )


def _show_degradation(report: dict[str, Any], number: int) -> None:
    st.markdown(
        f"**Performance of version {number} against training, last 24 hours**",
        help="Measured from outcomes; the line is the limit",
    )
    rows = [
        {
            "name": metric_label(finding["metric"]),
            "ratio": max(finding["worsening"], 0.0) / finding["threshold"],
            "verdict": _VERDICT_LABELS[finding["verdict"]],
            "summary": (
                f"{formatting.format_number(finding['value'])},"
                f" in training {formatting.format_number(finding['baseline'])}"
            ),
        }
        for finding in report["findings"]
        if finding["verdict"] in _VERDICT_LABELS
    ]
    if not rows:
        st.caption(
            f"{report['n_outcomes']:,.0f} of {queries.config().monitoring.min_rows:,} outcomes needed."
            " Record outcomes on the page History or with `POST /feedback`."
        )
        return
    worse = [metric_label(name) for name in report["degraded_metrics"]]
    outcomes = pluralize(round(report["n_outcomes"]), "outcome")
    st.caption(
        f"Significantly worse: {', '.join(worse)} ({outcomes})"
        if worse
        else f"No metric is significantly worse than its limit ({outcomes})"
    )
    page.show_chart(
        partial(charts.drift_ratios, pd.DataFrame(rows), title="Worsening / limit"),
        alt="Worsening as a multiple of its limit, by metric",
    )
