"""The live part of a comparison: both versions on their own predictions, size, latency, and trials between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.metrics.metric_labels import metric_label

from ... import formatting, links, page, queries
from ...page_queries import comparison_queries
from ...time_range import choose_time_range

if TYPE_CHECKING:
    from pipeline.metrics import MetricEstimate
    from pipeline.monitoring import VersionPerformance
    from pipeline.state import ModelVersion

__all__ = ["show_live_comparison"]


def show_live_comparison(pair: tuple[ModelVersion, ModelVersion]) -> None:
    """Show the live metrics of two versions in a time range, and the trials between them."""
    st.markdown("##### Live metrics", help="Each version on its own predictions, so they are of different rows")
    chosen = choose_time_range(key="compare", default="7d", with_all=True)
    performances = comparison_queries.live_performance(pair, since=chosen.since, until=chosen.until)
    min_rows = queries.config().monitoring.min_rows
    columns = [f"Version {version.version}" for version in pair]
    rows: list[dict[str, Any]] = [
        {"Live metric": "Predictions", **_cells(columns, [f"{live.n_predictions:,}" for live in performances])},
        {
            "Live metric": "Outcomes",
            **_cells(columns, [_outcomes_text(live, min_rows) for live in performances]),
        },
    ]
    names = list(dict.fromkeys(name for live in performances for name in live.realized.metrics))
    is_known = [live.realized.n_outcomes >= min_rows for live in performances]
    if any(is_known):
        rows += [
            {
                "Live metric": metric_label(name),
                **_cells(
                    columns,
                    [
                        _estimate_text(live.realized.metrics.get(name)) if known else "-"
                        for live, known in zip(performances, is_known, strict=True)
                    ],
                ),
            }
            for name in names
        ]
    rows.append({"Live metric": "Latency (p95)", **_cells(columns, [_latency_text(live) for live in performances])})
    rows.append(
        {"Live metric": "Latency and size at its gates", **_cells(columns, [_gate_facts(version) for version in pair])}
    )
    page.show_table(rows, caption="Live metrics of both versions")
    _show_trials(pair)


def _cells(columns: list[str], values: list[str]) -> dict[str, str]:
    return dict(zip(columns, values, strict=True))


def _outcomes_text(live: VersionPerformance, min_rows: int) -> str:
    n_outcomes = live.realized.n_outcomes
    return f"{n_outcomes:,}" if n_outcomes >= min_rows else f"{n_outcomes:,} of {min_rows:,} rows needed"


def _estimate_text(estimate: MetricEstimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    interval = formatting.format_interval(estimate.as_dict())
    return f"{formatting.format_number(estimate.value)} ({interval})"


def _latency_text(live: VersionPerformance) -> str:
    latency = live.latency_ms.get("95")
    return "-" if latency is None else f"{latency:.1f} ms"


def _gate_facts(version: ModelVersion) -> str:
    """Return latency and size as the gates measured them."""
    gates = {gate["name"]: gate for gate in (version.tags.get("gates") or {}).get("gates", ())}
    values = [(gates.get(name) or {}).get("value") for name in ("latency", "size")]
    parts = [
        f"{value:.3g} {unit}"
        for value, unit in zip(values, ("ms", "MB"), strict=True)
        if isinstance(value, float | int)
    ]
    return ", ".join(parts) or "-"


def _show_trials(pair: tuple[ModelVersion, ModelVersion]) -> None:
    trials = comparison_queries.trials_between(*pair)
    for trial in trials[:3]:
        links.show_link(
            f"Trial {trial.seq}: version {trial.challenger} against {trial.champion}, {trial.state}",
            "loop",
            icon="balance",
            trial=trial.seq,
        )
    if not trials:
        st.caption(
            "Different predictions are no comparison. For the same rows, open a trial: `mlops trial start VERSION`."
        )
