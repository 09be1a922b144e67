"""The overview page: production status, recent activity and next steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import address, formatting, monitoring_queries, page, queries
from app.views import health_summary, hourly_charts, status_panel
from pipeline.errors import MlopsError
from pipeline.project import paths
from pipeline.text import percent, pluralize, timestamp

if TYPE_CHECKING:
    from pipeline.production_status import ProductionStatus
    from pipeline.state import AuditEntry, ModelVersion

__all__ = ["render"]

_HEADLINE_METRICS = ("log_loss", "roc_auc", "accuracy", "ece")
_ACTION_LABELS = {"register": "registered", "promote": "promoted", "force": "promoted", "rollback": "rolled back to"}
_STAGE_ACTIONS = ("promote", "force")
_SPAN_LABELS = {"1d": "24 hours", "3d": "3 days", "7d": "7 days"}
_SPAN_HOURS = {"1d": 24, "3d": 72, "7d": 168}


def render() -> None:
    """Show the page."""
    page.render_page("Overview", "Production status, recent activity and next steps.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    status = status_panel.production_status()
    is_new = status.component("database").condition == "new"
    if not is_new:
        status_panel.show_production_status(status)
    if status.component("database").state == "down":
        return
    versions = queries.versions(model)
    if not versions:
        _show_getting_started()
        return
    production = next((version for version in versions if version.stage == "Production"), None)
    _show_metric_cards(model, production, status)
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        page.error_boundary(lambda: _show_traffic(model))
    with right, st.container(border=True):
        st.markdown("**Next steps**")
        for step in _next_steps(versions, production):
            st.markdown(f"- {step}")
    if production is not None:
        page.error_boundary(lambda: health_summary.show_health_summary(production, versions))
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        page.error_boundary(lambda: _show_recent_activity(model))
    with right, st.container(border=True):
        page.error_boundary(lambda: _show_test_metrics(production))


def _show_getting_started() -> None:
    page.empty_state("No version is registered yet", "Run `make run` in the project's folder, then reload this page.")
    st.markdown(
        "It runs the pipeline: data, validation, training, evaluation, gates."
        " The first version that passes its gates is promoted."
    )


def _show_metric_cards(model: str, production: ModelVersion | None, status: ProductionStatus) -> None:
    cards = st.columns(5)
    generation = queries.current_deployment(model).generation
    cards[0].metric(
        "Version",
        str(production.version) if production is not None else "none",
        border=True,
        help=_production_help(production, generation),
    )
    api, alerts = status.component("api"), status.component("incidents")
    cards[1].metric("API", api.summary, border=True, help=formatting.message_markdown(api.text))
    hours = monitoring_queries.hourly_activity(model, 24).predictions
    n_rows = sum(hour.n_predictions for hour in hours)
    counts = monitoring_queries.predictions_by_version(model, 24)
    by_version = ", ".join(f"version {number}: {n:,}" for number, n in counts.items() if n)
    cards[2].metric(
        "Predictions, 24 h", f"{n_rows:,.0f}", border=True, help=f"All versions, in whole hours; {by_version or 'none'}"
    )
    mean = sum(hour.mean_confidence * hour.n_predictions for hour in hours) / n_rows if n_rows else None
    cards[3].metric(
        "Confidence", percent(mean, missing="-"), border=True, help="Mean of the last 24 hours, all versions"
    )
    cards[4].metric(
        alerts.label,
        alerts.summary,
        border=True,
        help=formatting.message_markdown(f"{alerts.text}. {status.component('monitor').text}"),
    )


def _production_help(production: ModelVersion | None, generation: int) -> str:
    if production is None:
        return "Promote a version on the page Models"
    return formatting.escape_markdown(
        f"{production.model} {production.semver}, {production.tags.get('model', '')},"
        f" registered {page.timestamp(production.registered_at)}; generation {generation} of the deployment"
    )


def _show_traffic(model: str) -> None:
    st.markdown("**Predictions by hour, all versions**")
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
    hourly_charts.show_confidence(activity)


def _next_steps(versions: list[ModelVersion], production: ModelVersion | None) -> list[str]:
    """Return the next steps in Markdown, the most urgent first."""
    steps = []
    model = versions[0].model
    incidents = monitoring_queries.open_incidents(model)
    if incidents:
        title = incidents[0].title.removeprefix(model).removeprefix(": ")
        steps.append(
            f"{pluralize(len(incidents), 'open incident')}, newest: {formatting.escape_markdown(title)};"
            " act on the page **Monitoring**."
        )
    newest = versions[-1]
    verdict = (newest.tags.get("gates") or {}).get("verdict")
    if production is None:
        steps.append("No version is in Production: promote one on the page **Models**.")
    elif newest.version != production.version and newest.stage == "Staging":
        steps.append(f"Version {newest.version} is in Staging: review its gates and promote it on the page **Models**.")
    elif newest.version != production.version and verdict not in (None, "promote"):
        steps.append(f"Version {newest.version} failed its gates; see the page **Models**.")
    rules = _validation_warnings()
    if rules:
        steps.append(
            f"Data validation: {pluralize(len(rules), 'kind')} of warning"
            f" ({formatting.escape_markdown(', '.join(rules))}); see the page **Data**."
        )
    steps += ["Try the model on the page **Predict**.", "Try another model: `dvc exp run -S model=random_forest`"]
    return steps


def _validation_warnings() -> list[str]:
    try:
        findings = queries.load_report(paths.VALIDATION_REPORT)["findings"]
    except MlopsError:
        return []
    return list(dict.fromkeys(formatting.humanize(finding["rule"]) for finding in findings if finding["level"] != "ok"))


def _show_recent_activity(model: str) -> None:
    st.markdown("**Recent activity**")
    entries = queries.audit_entries(model, limit=6)
    for entry in entries:
        st.markdown(f"- {_activity_text(entry)}")
        st.caption(
            page.timestamp(entry.recorded_at),
            help=formatting.escape_markdown(timestamp(entry.recorded_at)),
        )


def _activity_text(entry: AuditEntry) -> str:
    """Return an entry of the audit trail as a sentence in Markdown: actor, action, version, stage, reason."""
    action = formatting.escape_markdown(_ACTION_LABELS.get(entry.action, entry.action))
    version = f" version {entry.version}" if entry.version is not None else ""
    stages = [
        stage
        for stage, deployed in entry.after.items()
        if isinstance(deployed, dict) and deployed.get("version") == entry.version
    ]
    stage = f" to {stages[0]}" if version and stages and entry.action in _STAGE_ACTIONS else ""
    override = ", overriding failed gates" if entry.action == "force" else ""
    reason = f": {formatting.escape_markdown(entry.reason)}" if entry.reason else ""
    return f"{formatting.escape_markdown(entry.actor)} **{action}**{version}{stage}{override}{reason}"


def _show_test_metrics(production: ModelVersion | None) -> None:
    version = "" if production is None else f" of version {production.version}"
    st.markdown(f"**Test-set performance{version}**")
    evaluation = None if production is None else queries.find_package_evaluation(production.digest)
    if evaluation is None:
        st.caption("The evaluation of the production version is not available; see the page Models.")
        return
    metrics: dict[str, Any] = evaluation.report["metrics"]
    names = [name for name in _HEADLINE_METRICS if name in metrics] or list(metrics)[:4]
    rows = [
        {
            "Metric": f"{formatting.humanize(name)} {'↑' if metrics[name]['higher_is_better'] else '↓'}",
            "Value": formatting.format_number(metrics[name]["value"]),
            "Interval": formatting.format_interval(metrics[name]),
        }
        for name in names
    ]
    page.show_table(pd.DataFrame(rows))
    st.caption("↑ higher is better, ↓ lower is better; the page Models shows all metrics")
