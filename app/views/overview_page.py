"""How it stands: what serves, how it does, what happened last, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import formatting, monitoring_queries, page, queries
from app.views import health_summary, hourly_charts
from pipeline.errors import MlopsError
from pipeline.project import paths
from pipeline.text import percent, pluralize, timestamp

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["render"]

_HEADLINE_METRICS = ("log_loss", "roc_auc", "accuracy", "ece")


def render() -> None:
    """Show the page."""
    page.render_page("Overview", "What serves, how it does, what happened last, and what to do next.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    versions = queries.versions(model)
    if not versions:
        _show_getting_started()
        return
    serving = next((one for one in versions if one.stage == "Production"), None)
    _show_metric_cards(model, serving)
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        page.error_boundary(lambda: _show_traffic(model))
    with right, st.container(border=True):
        st.markdown("**What to do next**")
        for step in _next_steps(versions, serving):
            st.markdown(f"- {step}")
    if serving is not None:
        page.error_boundary(lambda: health_summary.show_health_summary(serving))
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        page.error_boundary(lambda: _show_recent_activity(model))
    with right, st.container(border=True):
        page.error_boundary(lambda: _show_test_metrics(serving))


def _show_getting_started() -> None:
    page.empty_state("No version is registered yet", "Run `make run` in the project's folder, then look here again.")
    st.markdown("It runs the graph once: rows, checks, model, figures, gates. The first candidate that passes serves.")


def _show_metric_cards(model: str, production: ModelVersion | None) -> None:
    cards = st.columns(5)
    now = queries.current_deployment(model)
    cards[0].metric(
        "Version serving",
        str(production.version) if production is not None else "none",
        border=True,
        help=_production_help(production, now.generation),
    )
    healthy, why = _engine_health(production)
    cards[1].metric("Engine", "ready" if healthy else "not ready", border=True, help=why)
    day = monitoring_queries.hourly_activity(model, 24).predictions
    rows = sum(one.n_predictions for one in day)
    cards[2].metric("Last 24 hours", f"{rows:,.0f}", border=True, help="Predictions, in whole hours")
    mean = sum(one.mean_confidence * one.n_predictions for one in day) / rows if rows else None
    cards[3].metric("Confidence", percent(mean, missing="-"), border=True, help="Mean of the last 24 hours")

    open_ = monitoring_queries.open_incidents(model)
    newest = (
        formatting.escape_markdown(open_[0].title) if open_ else "The monitor has raised nothing that is still open"
    )
    cards[4].metric("Open alerts", len(open_), border=True, help=newest)


def _production_help(production: ModelVersion | None, generation: int) -> str:
    if production is None:
        return "Promote a version on the page Models"
    return formatting.escape_markdown(
        f"{production.model} {production.semver}, {production.tags.get('model', '')}, registered {page.timestamp(production.registered_at)};"
        f" generation {generation}: each decision adds one"
    )


def _engine_health(production: ModelVersion | None) -> tuple[bool, str]:
    if production is None:
        return False, "Nothing is in Production"
    try:
        status = queries.engine().status()
    except MlopsError as error:
        return False, formatting.escape_markdown(error)
    return bool(status["is_ready"]), formatting.escape_markdown(
        status["reason"] or "It answers, and logs what it answers"
    )


def _show_traffic(model: str) -> None:
    st.markdown("**Predictions by hour**")
    hours = st.segmented_control(
        "Span", [24, 72, 168], default=24, format_func=_span_label, key="span", label_visibility="collapsed"
    )
    found = monitoring_queries.hourly_activity(model, hours or 24)
    if not found.predictions:
        st.caption("No prediction in this span. Make one on the page Predict.")
        return
    hourly_charts.show_predictions(found, hours or 24)
    hourly_charts.show_confidence(found)


def _span_label(hours: int) -> str:
    return f"{hours} hours" if hours == 24 else f"{hours // 24} days"


def _next_steps(versions: list[ModelVersion], production: ModelVersion | None) -> list[str]:
    """Return what to do next, the most urgent first."""
    steps = []
    open_ = monitoring_queries.open_incidents(versions[0].model)
    if open_:
        steps.append(
            f"{pluralize(len(open_), 'open alert')}, the newest: {formatting.escape_markdown(open_[0].title.removeprefix(versions[0].model).removeprefix(': '))}; act on the page **Monitoring**."
        )
    newest = versions[-1]
    verdict = (newest.tags.get("gates") or {}).get("verdict")
    if production is None:
        steps.append("Nothing serves: promote a version on the page **Models**.")
    elif newest.version != production.version and newest.stage == "Staging":
        steps.append(
            f"Version {newest.version} waits in Staging: look at its gates and promote it on the page **Models**."
        )
    elif newest.version != production.version and verdict not in (None, "promote"):
        steps.append(f"Version {newest.version} did not pass its gates; the page **Models** says why.")
    rules = _validation_warnings()
    if rules:
        steps.append(
            f"The rows raised {pluralize(len(rules), 'warning')} ({formatting.escape_markdown(', '.join(rules))}); see the page **Data**."
        )
    steps += ["Try the model on the page **Predict**.", "Try another model: `dvc exp run -S model=random_forest`"]
    return steps


def _validation_warnings() -> list[str]:
    try:
        found = queries.load_report(paths.VALIDATION_REPORT)["findings"]
    except MlopsError:
        return []
    return list(dict.fromkeys(formatting.humanize(one["rule"]) for one in found if one["level"] != "ok"))


def _show_recent_activity(model: str) -> None:
    st.markdown("**What happened last**")
    entries = queries.audit_entries(model, limit=6)
    for one in entries:
        version = f" version {one.version}" if one.version is not None else ""
        why = f": {formatting.escape_markdown(one.reason)}" if one.reason else ""
        st.markdown(
            f"- **{formatting.escape_markdown(one.action)}**{version} by {formatting.escape_markdown(one.actor)}{why}"
        )
        st.caption(
            page.timestamp(one.recorded_at),
            help=formatting.escape_markdown(timestamp(one.recorded_at)),
        )


def _show_test_metrics(production: ModelVersion | None) -> None:
    st.markdown("**How good it is on rows that it never saw**")
    found = None if production is None else queries.evaluation_of(production.digest)
    if found is None:
        st.caption("The evaluation of the version that serves is not at hand; see the page Models.")
        return
    metrics: dict[str, Any] = found.report["metrics"]
    shown = [name for name in _HEADLINE_METRICS if name in metrics] or list(metrics)[:4]
    rows = [
        {
            "Figure": f"{formatting.humanize(name)} {'↑' if metrics[name]['higher_is_better'] else '↓'}",
            "Value": formatting.format_number(metrics[name]["value"]),
            "Interval": f"{formatting.format_number(metrics[name]['low'])} to {formatting.format_number(metrics[name]['high'])}",
        }
        for name in shown
    ]
    page.show_table(pd.DataFrame(rows))
    st.caption("↑ higher is better, ↓ lower is better; the page Models has all of them")
