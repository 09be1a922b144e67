"""One incident: since when and why, its effect on predictions and metrics, what was done, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.alerts.analysis import start_text
from pipeline.text import format_duration, percent, pluralize

from ... import formatting, html_table, links, page
from ...page_queries import incident_queries
from ...time_range import address_moment
from . import incident_buttons, incident_charts
from .incident_panel import SEVERITY_COLORS

if TYPE_CHECKING:
    from pipeline.alerts.analysis import IncidentReport, PredictionEffect, TimelineEvent
    from pipeline.state import Incident

__all__ = ["show_incident"]

_HOUR_US = 3_600_000_000
_MAX_LINES = 12  # of a message
_MAX_LENGTH = 1000  # of the sentence


def show_incident(number: int) -> None:
    """Show the report of an incident."""
    report = incident_queries.incident_report(number)
    _show_headline(report)
    _show_actions(report)
    if report.incident.details.get("affected") == "rows":
        left, right = st.columns(2)
        with left, st.container(border=True):
            page.error_boundary(lambda: incident_charts.show_causes(report))
        with right, st.container(border=True):
            page.error_boundary(lambda: incident_charts.show_metrics(report))
        left, right = st.columns([2, 3])
        with left, st.container(border=True):
            _show_effect_on_predictions(report)
        with right, st.container(border=True):
            _show_effect_on_metrics(report)
    else:
        with st.container(border=True):
            _show_findings(report.incident)
    with st.container(border=True):
        _show_next_steps(report)
    with st.container(border=True):
        _show_timeline(report)


def _show_findings(incident: Incident) -> None:
    st.markdown("**Findings**")
    findings = [rule["summary"] for rule in incident.details.get("rules", ())] or incident.message.splitlines()
    for line in findings[:_MAX_LINES]:
        st.markdown(f"- {formatting.message_markdown(formatting.shorten(line, 300))}")


def _show_headline(report: IncidentReport) -> None:
    incident = report.incident
    color = SEVERITY_COLORS.get(incident.severity, "gray")
    badges = [f":{color}-badge[{formatting.escape_markdown(incident.severity)}]", _status_badge(incident)]
    badges += [":gray-badge[silenced]"] if report.silences else []
    title = formatting.message_markdown(formatting.shorten(incident.title, 200))
    st.markdown(f"#### {title}")
    st.markdown(f"{' '.join(badges)} {formatting.message_markdown(formatting.shorten(_sentence(report), _MAX_LENGTH))}")


def _status_badge(incident: Incident) -> str:
    color = {"open": "red", "acknowledged": "orange", "resolved": "green"}[incident.status]
    return f":{color}-badge[{incident.status}]"


def _sentence(report: IncidentReport) -> str:
    incident = report.incident
    start = start_text(report, page.user_time_zone())
    parts = [f"{start[0].upper()}{start[1:]}"]
    if report.start.basis != "opened":
        parts.append(f"opened {page.short_time(incident.opened_at)}")
    if incident.acknowledged_by is not None:
        parts.append(f"acknowledged by {incident.acknowledged_by}")
    if incident.resolved_at is not None:
        lasted = format_duration(max(incident.resolved_at - incident.opened_at, 0))
        parts.append(f"resolved {page.short_time(incident.resolved_at)} by {incident.resolved_by}, after {lasted}")
    parts += [f"silenced until {page.short_time(each.until)} by {each.actor}" for each in report.silences]
    if incident.details.get("affected_share") is not None:
        least = "at least " if incident.details["affected"] == "rows" else ""
        share = percent(incident.details["affected_share"])
        parts.append(f"{least}{share} of {incident.details['affected']} affected")
    if incident.details.get("loss"):
        parts.append(incident.details["loss"]["summary"])
    return f"{'; '.join(parts)}."


def _show_actions(report: IncidentReport) -> None:
    incident = report.incident
    with st.container(horizontal=True, vertical_alignment="center"):
        if incident.status != "resolved":
            incident_buttons.show_incident_buttons(incident, report.firing)
        with st.popover("Copy link", icon=":material/link:", key=f"copy_{incident.seq}_popover"):
            st.code(_full_address(incident.seq), language=None)
        links.show_link("All incidents", "incidents", icon="list")


def _full_address(number: int) -> str:
    url = st.context.url or ""
    return links.page_address(url.partition("?")[0] or "incidents", incident=number)


def _show_data_links(report: IncidentReport) -> None:
    span = _span(report)
    column = report.drift[0].column if report.drift else None
    where = incident_charts.risen_value(report)
    with st.container(horizontal=True):
        links.show_link("Monitoring", "monitoring", icon="monitoring", version=report.version, column=column, **span)
        if where is not None:
            label = f"Predictions: {formatting.escape_markdown(where[0])}"
            links.show_link(label, "history", icon="history", version=report.version, where=list(where[1]), **span)
        links.show_link("Wrong predictions", "history", icon="error", version=report.version, outcome="wrong", **span)
        links.show_link(f"Version {report.version}", "models", icon="deployed_code", version=report.version)


def _span(report: IncidentReport) -> dict[str, str]:
    """Return the parameters of the time from the start of the incident to its end, at least an hour."""
    since = report.start.at
    until = max(report.until, since + _HOUR_US)
    return {"range": "custom", "since": address_moment(since), "until": address_moment(until)}


def _show_effect_on_predictions(report: IncidentReport) -> None:
    st.markdown("**Effect on predictions**", help="Before and after the start of the incident")
    if report.effect is None:
        st.markdown("Unknown: the evaluated version is not recorded, or its package cannot be loaded.")
        return
    _show_comparison(report.effect)
    _show_data_links(report)


def _show_comparison(effect: PredictionEffect) -> None:
    shortages = [
        f"{name}: {period.shortage}"
        for name, period in (("Before", effect.before), ("After", effect.after))
        if period.shortage
    ]
    if shortages:
        st.markdown(f"Not enough data. {formatting.message_markdown('; '.join(shortages))}.")
        return
    rows = [
        _comparison_row(name, effect.before.shares.get(name, 0.0), effect.after.shares.get(name, 0.0))
        for name in effect.classes
    ]
    rows.append(_comparison_row("Mean confidence", effect.before.mean_confidence, effect.after.mean_confidence))
    page.show_table(rows, caption="Predictions before and after the start")
    hours = [max(round((period.until - period.since) / _HOUR_US), 1) for period in (effect.before, effect.after)]
    st.caption(
        f"{effect.before.n_predictions:,} predictions in {pluralize(hours[0], 'hour')} before,"
        f" {effect.after.n_predictions:,} in {pluralize(hours[1], 'hour')} after"
    )


def _comparison_row(name: str, before: float | None, after: float | None) -> dict[str, Any]:
    change = "-" if before is None or after is None else f"{100 * (after - before):+.1f}"
    return {
        "Predicted": formatting.shorten(name),
        "Before": percent(before, missing="-"),
        "After": percent(after, missing="-"),
        "Change, points": change,
    }


def _show_effect_on_metrics(report: IncidentReport) -> None:
    details = report.incident.details
    st.markdown("**Effect on metrics**", help="Measured from outcomes in the last evaluated window of the monitor")
    if not details.get("metrics"):
        st.markdown("No metric is significantly worse than in training, or there are too few outcomes.")
    else:
        since = {line.metric: line.beyond_since for line in report.metrics}
        rows = [_metric_row(metric, since.get(metric["metric"])) for metric in details["metrics"]]
        page.show_table(rows, caption="Degraded metrics")
    slices = details.get("slices") or []
    if slices:
        st.markdown("**Worst slices**", help="Accuracy significantly below that of all rows")
        page.show_table(
            [_slice_row(report, part) for part in slices], caption="Slices with an accuracy below that of all rows"
        )


def _metric_row(metric: dict[str, Any], since: int | None) -> dict[str, Any]:
    low, high = metric["interval"]
    return {
        "Metric": metric["label"],
        "Value": formatting.format_number(metric["value"]),
        "Interval": "-" if low is None or high is None else f"{low:.4f} to {high:.4f}",
        "Training": formatting.format_number(metric["baseline"]),
        "Limit": formatting.format_number(metric["limit"]),
        "Beyond since": "-" if since is None else page.short_time(since),
    }


def _slice_row(report: IncidentReport, part: dict[str, Any]) -> dict[str, Any]:
    name = f"{part['label']}: {formatting.shorten(part['value'])}"
    filters = report.filters.get(part["column"], {}).get(part["value"], ())
    target = links.page_address(
        "history", version=report.version, where=list(filters), outcome="wrong", **_span(report)
    )
    return {
        "Slice": html_table.Link(name, target) if filters else name,
        "Accuracy": percent(part["accuracy"]),
        "Interval": f"{percent(part['low'])} to {percent(part['high'])}",
        "Outcomes": f"{part['n_outcomes']:,}",
    }


def _show_timeline(report: IncidentReport) -> None:
    st.markdown("**Timeline**")
    rows = [
        {
            "Time": page.short_time(event.at),
            "Event": _event_cell(event),
            "By": event.actor or "-",
            "Reason": formatting.shorten(event.reason, 200) or "-",
        }
        for event in reversed(report.timeline)
    ]
    page.show_table(rows, caption="Events, newest first")


def _event_cell(event: TimelineEvent) -> str | html_table.Link:
    if event.version is not None:
        return html_table.Link(event.text, links.page_address("models", version=event.version))
    return event.text if event.until is None else f"{event.text} until {page.short_time(event.until)}"


def _show_next_steps(report: IncidentReport) -> None:
    st.markdown("**What to do next**")
    if report.incident.status == "resolved":
        st.markdown("Nothing: the incident is resolved.")
    for number, step in enumerate(report.steps, 1):
        st.markdown(f"{number}. {formatting.message_markdown(f'{step.text}: `{step.command}`')}")
