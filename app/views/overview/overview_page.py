"""The overview page: production status, next steps, traffic, drift and performance, recent activity."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.errors import MlopsError
from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, metric_label
from pipeline.production_status.production_metrics import production_metrics
from pipeline.project import paths
from pipeline.text import short_timestamp

from ... import address, formatting, html_table, links, page, queries
from ...page_charts import overview_charts
from ...page_queries import monitoring_queries, production_queries
from ..monitoring import hourly_charts
from . import activity_entries, demo_panel, health_summary, overview_cards, status_panel
from .next_steps import next_steps

if TYPE_CHECKING:
    from pipeline.production_status import ModelFacts, ProductionStatus
    from pipeline.state import ModelVersion

    from ...page_queries.window_queries import HourlyActivity
    from .next_steps import NextStep

__all__ = ["render"]

_HEADLINE_METRICS = ("log_loss", "roc_auc", "accuracy", "ece")
_SPAN_LABELS = {"1d": "24 hours", "3d": "3 days", "7d": "7 days"}
_SPAN_HOURS = {"1d": 24, "3d": 72, "7d": 168}
_N_ACTIVITIES = 6


def render() -> None:
    """Show the page."""
    page.render_page("Overview", "Production status, recent activity and next steps.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    facts = production_queries.production_facts()
    status = production_queries.production_status(page.user_time_zone(), facts)
    is_new = status.component("database").condition == "new"
    if not is_new:
        status_panel.show_production_status(status)
    known = facts.database.model
    if status.component("database").state == "down" or known is None:
        return
    versions = queries.versions(model)
    if not versions:
        _show_getting_started()
        return
    production = next((version for version in versions if version.stage == "Production"), None)
    if production is not None and known.last_prediction_at is None:
        page.error_boundary(demo_panel.show_offer)
    overview_cards.show_cards(production, known, status)
    left, right = st.columns([3, 2])
    with left, st.container(border=True, height="stretch"):
        page.error_boundary(lambda: _show_traffic(model, known))
    with right, st.container(border=True, height="stretch"):
        with st.container(gap="xxsmall", key="next_steps"):
            _show_next_steps(next_steps(status, known, versions, warnings=_validation_warnings()))
        page.error_boundary(lambda: _show_recent_activity(model, status))
    if production is not None:
        page.error_boundary(
            lambda: health_summary.show_health_summary(
                production, versions, show_beside=lambda: _show_test_metrics(production)
            )
        )
    links.show_link("Wall page, for a screen on a wall", "wall", icon="tv")


def _show_getting_started() -> None:
    step = queries.production_step(queries.config().name)
    page.empty_state("No version is registered yet", f"{step}; then reload this page")
    st.markdown(
        "`dvc repro` runs the pipeline: data, validation, training, evaluation, gates."
        " The first version that passes its gates is promoted."
        f" Then **{demo_panel.LOAD_LABEL}** on this page shows every page with simulated predictions."
    )


def _show_traffic(model: str, known: ModelFacts) -> None:
    title, choice = st.columns([3, 2], vertical_alignment="center")
    title.markdown("**Predictions by hour, all versions**")
    with choice:
        span = address.choose(
            st.segmented_control,
            list(_SPAN_LABELS),
            parameter="span",
            key="span",
            default="1d",
            format_func=_SPAN_LABELS.__getitem__,
            label="Period",
            label_visibility="collapsed",
        )
    hours = _SPAN_HOURS[span]
    activity = monitoring_queries.hourly_activity(model, hours)
    if not activity.predictions:
        st.caption("No predictions in this period. Make one on the page Predict.")
        return
    hourly_charts.show_predictions(activity, hours)
    _show_rate(activity, known)


def _show_rate(activity: HourlyActivity, known: ModelFacts) -> None:
    """Draw the error rate by hour beside that of training; without outcomes, the mean confidence."""
    if activity.outcomes:
        points = [(hour.hour, hour.n_errors / hour.n_outcomes) for hour in activity.outcomes]
        accuracy = [metric for metric in production_metrics(known.monitor_run) if metric.name == "accuracy"]
        training = 1 - accuracy[0].training if accuracy else None
        title = "Error rate"
    else:
        points = [(hour.hour, hour.mean_confidence) for hour in activity.predictions]
        title, training = "Mean confidence", None
    dashed = "" if training is None else f"; the dashed line is that of training, {formatting.format_number(training)}"
    frame = pd.DataFrame({"at": page.to_local_time([at for at, _ in points]), "value": [value for _, value in points]})
    page.show_chart(
        partial(overview_charts.rate_line, frame, title=title, training=training), alt=f"{title} by hour{dashed}"
    )
    st.caption(f"{title} by hour{dashed}")


def _show_next_steps(steps: list[NextStep]) -> None:
    st.markdown("**Next steps**")
    for step in steps:
        icon = "priority_high" if step.is_urgent else "arrow_forward"
        label = formatting.message_markdown(step.text)
        if step.page is not None:
            links.show_link(label, step.page, icon=icon, **step.parameters)
        else:
            st.markdown(f":material/{icon}: {label}")


def _validation_warnings() -> list[str]:
    try:
        findings = queries.load_report(paths.VALIDATION_REPORT)["findings"]
    except MlopsError:
        return []
    return list(dict.fromkeys(formatting.humanize(finding["rule"]) for finding in findings if finding["level"] != "ok"))


def _show_recent_activity(model: str, status: ProductionStatus) -> None:
    st.markdown("**Recent activity**", help=f"Times are in {formatting.escape_markdown(page.time_zone_label())}")
    activities = activity_entries.recent_activities(
        queries.audit_entries(model, limit=_N_ACTIVITIES),
        production_queries.recent_incidents(model, limit=_N_ACTIVITIES),
        limit=_N_ACTIVITIES,
    )
    rows = [
        {
            "When": short_timestamp(activity.at, status.zone, now=status.checked_at, with_zone=False),
            "What": activity.text,
            "Details": html_table.Link(activity.link_label, links.page_address(activity.page, **activity.parameters))
            if activity.page is not None
            else "",
        }
        for activity in activities
    ]
    if rows:
        page.show_table(rows, caption="Recent activity")


def _show_test_metrics(production: ModelVersion) -> None:
    st.markdown(f"**Test-set performance of version {production.version}**")
    evaluation = queries.find_package_evaluation(production.digest)
    if evaluation is None:
        st.caption("The evaluation of the production version is not available; see the page Models.")
        return
    metrics: dict[str, Any] = evaluation.report["metrics"]
    names = [name for name in _HEADLINE_METRICS if name in metrics] or list(metrics)[:4]
    rows = [
        {
            "Metric": f"{metric_label(name)} {'↑' if metrics[name]['higher_is_better'] else '↓'}",
            "Value": formatting.format_number(metrics[name]["value"]),
            "95% interval": formatting.format_interval(metrics[name]),
            "Meaning": METRIC_EXPLANATIONS.get(name, ""),
        }
        for name in names
    ]
    page.show_table(rows, caption="Test-set performance")
    st.caption("↑ higher is better, ↓ lower is better")
    links.show_link("All metrics of the version", "models", version=production.version, models_tab="Metrics")
