"""Render a monitoring report as one HTML page that loads nothing from the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.html_report import (
    BarSeries,
    Html,
    ReportHead,
    badge,
    bar_chart,
    card,
    card_grid,
    details,
    html_table,
    legend,
    paragraph,
    report_page,
    section,
    text_with_code,
    tiles,
    time_chart,
)
from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, metric_label
from pipeline.monitoring.drift.bin_labels import bin_words
from pipeline.monitoring.drift.statistic_labels import statistic_label, statistic_text
from pipeline.monitoring.monitoring_text import estimate_disagrees, format_metric, report_headline
from pipeline.schema import FeatureLabels
from pipeline.text import percent, pluralize, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.html_report import Level
    from pipeline.monitoring.drift import DriftLine
    from pipeline.state import Incident

__all__ = ["MonitoringContext", "monitoring_report_html"]

_MAX_COLUMNS = 100
_LEVELS: Mapping[str, Level] = {
    "drift": "bad", "degraded": "bad", "critical": "bad", "watch": "warn", "warning": "warn", "stable": "good",
    "ok": "good",
}  # fmt: skip
_OUTSIDE = ("below", "above", "unseen", "missing")


@dataclass(frozen=True, slots=True)
class MonitoringContext:
    """What is known around a report: when and about which version it is, incidents, and drift before the window.

    `recorded_at` is in microseconds since 1970. `commit` is that of the version, `incidents` are those that are not
    resolved, and `labels` those of columns.
    """

    recorded_at: int | None = None
    version: int | None = None
    commit: str = ""
    incidents: Sequence[Incident] = ()
    drift_lines: Sequence[DriftLine] = ()
    labels: FeatureLabels = field(default_factory=FeatureLabels)


def monitoring_report_html(
    report: Mapping[str, Any], context: MonitoringContext | None = None, *, index_address: str | None = None
) -> str:
    """Return the page as HTML; at most 100 columns, the most severe first.

    Parameters
    ----------
    report : mapping
        Of `ModelMonitor.generate_monitoring_report`.
    context : MonitoringContext, optional
    index_address : str, optional
        Address of the index of reports, relative to the page.
    """
    known = context if context is not None else MonitoringContext()
    verdict = "degraded" if report["degradation"]["degraded_metrics"] else report["drift"]["verdict"]
    headline = report_headline(report)
    head = ReportHead(
        f"Monitoring of {report['model']}",
        verdict.replace("_", " "),
        _LEVELS.get(verdict, "neutral"),
        headline,
        commit=known.commit,
        written_at=known.recorded_at,
    )
    sections = (
        _tiles(report, known),
        _incident_section(known) if known.recorded_at is not None else "",
        _time_section(report, known),
        section("Performance", card(_performance_table(report))),
        _drift_section(report, known),
    )
    return report_page(head, sections, facts=_facts(report, known), index_address=index_address)


def _facts(report: Mapping[str, Any], known: MonitoringContext) -> list[tuple[str, str | Html]]:
    window = report["drift"]["window"]
    facts: list[tuple[str, str | Html]] = []
    if known.version is not None:
        facts.append(("Version in Production", str(known.version)))
    period = "rows of a frame"
    if window is not None:
        period = f"{_utc(window['since'])} to {_utc(window['until'])}"
    return [*facts, ("Window", period), ("Reference", pluralize(report["drift"]["n_reference"], "row"))]


def _utc(iso: str) -> str:
    return timestamp(round(datetime.fromisoformat(iso).timestamp() * 1_000_000))


def _tiles(report: Mapping[str, Any], known: MonitoringContext) -> str:
    dashboard, performance, drift = report["dashboard"], report["performance"], report["drift"]
    n_drifted = "unknown" if drift["shortage"] else str(len(drift["drifted_features"]))
    degraded = report["degradation"]["degraded_metrics"]
    values = [
        ("predictions", f"{dashboard['total_predictions']:,}", ""),
        ("mean confidence", format_metric(dashboard["average_confidence"]), ""),
        ("outcome coverage", percent(performance["coverage"]), pluralize(performance["n_outcomes"], "outcome")),
        ("drifted columns", n_drifted, drift["shortage"] or f"of {len(drift['findings'])}"),
        (
            "degraded metrics",
            "unknown" if report["degradation"]["shortage"] else str(len(degraded)),
            report["degradation"]["shortage"],
        ),
    ]
    if known.recorded_at is not None:
        values.append(("open incidents", str(len(known.incidents)), ""))
    return tiles(values)


def _incident_section(known: MonitoringContext) -> str:
    if not known.incidents:
        return section("Incidents", card(paragraph("No open incident.")))
    rows = [
        (
            f"{incident.seq}",
            badge(incident.severity, _LEVELS.get(incident.severity, "neutral")),
            incident.status,
            timestamp(incident.opened_at),
            incident.title,
            Html(_commands(incident)),
        )
        for incident in known.incidents
    ]
    head = ("incident", "severity", "status", "open since", "title", "next commands")
    return section("Incidents", card(html_table(head, rows)))


def _commands(incident: Incident) -> str:
    commands = [f"mlops alerts show {incident.seq}"]
    if incident.status == "open":
        commands.append(f"mlops alerts ack {incident.seq} --reason ...")
    commands.append(f"mlops alerts resolve {incident.seq} --reason ...")
    return "<br>".join(f"<code>{command}</code>" for command in commands)


def _time_section(report: Mapping[str, Any], known: MonitoringContext) -> str:
    """Return the change of each notable column over time, in thresholds, with the start of its drift."""
    notable = [finding["column"] for finding in report["drift"]["findings"] if finding["verdict"] in ("drift", "watch")]
    cards = []
    for column in notable[:_MAX_COLUMNS]:
        line = next((line for line in known.drift_lines if line.column == column), None)
        if line is None:
            continue
        ratios = [(point.since, point.ratio) for point in line.points if point.ratio is not None]
        if ratios:
            chart = time_chart(ratios, limit=1.0, alt=f"Drift over time: {known.labels.label(column)}")
            cards.append(card(f"<h3>{_text(known.labels.label(column))}</h3>", chart, paragraph(_start_text(line))))
    remark = paragraph(
        "The change against training as a multiple of its threshold, by time (UTC). "
        "The dashed line is the threshold. Each point has enough rows for a verdict.",
        is_soft=True,
    )
    return section("Drift over time", remark, card_grid(cards)) if cards else ""


def _start_text(line: DriftLine) -> str:
    """Return since when the column drifts without a break."""
    start = line.beyond_since
    return "No drift in the last period with enough rows." if start is None else f"Drift since {timestamp(start)}."


def _performance_table(report: Mapping[str, Any]) -> str:
    performance = report["performance"]
    degradations = {finding["metric"]: finding for finding in report["degradation"]["findings"]}
    rows: list[tuple[str | Html, ...]] = []
    for name, interval in performance["intervals"].items():
        estimated = performance["estimated"].get(name, {"value": None, "low": None, "high": None})
        degradation = degradations.get(name, degradations.get("f1_weighted" if name == "f1_score" else name))
        estimate = text_with_code(format_metric(estimated["value"], [estimated["low"], estimated["high"]])).markup
        note = f" {badge('contradicted', 'warn').markup}" if estimate_disagrees(report, name) else ""
        label = f'<abbr title="{METRIC_EXPLANATIONS.get(name, "")}">{metric_label(name)}</abbr>'
        verdict = degradation["verdict"] if degradation else ""
        rows.append(
            (
                Html(label),
                format_metric(performance[name], interval),
                Html(f"{estimate}{note}"),
                format_metric(degradation["baseline"]) if degradation else "none",
                _worsening_text(degradation),
                badge(verdict, _LEVELS.get(verdict, "neutral")) if verdict else "",
            )
        )
    return html_table(("metric", "realized", "estimated", "baseline", "worse by", "verdict"), rows)


def _worsening_text(degradation: Mapping[str, Any] | None) -> str:
    if degradation is None or degradation["worsening"] is None or degradation["verdict"] == "not_enough_data":
        return ""
    if degradation["kind"] == "relative":
        return f"{degradation['worsening']:+.1%} (threshold {degradation['threshold']:.0%})"
    return f"{degradation['worsening']:+.4g} (threshold {degradation['threshold']:.4g})"


def _drift_section(report: Mapping[str, Any], known: MonitoringContext) -> str:
    findings = report["drift"]["findings"]
    shown = findings[:_MAX_COLUMNS]
    notable = [_column_card(finding, known) for finding in shown if finding["verdict"] != "stable"]
    stable = [_column_card(finding, known) for finding in shown if finding["verdict"] == "stable"]
    n_hidden = len(findings) - len(shown)
    return section(
        "Drift by column",
        legend((("reference", "reference"), ("current", "this window"))),
        card_grid(notable),
        details(f"{pluralize(len(stable), 'column')} without a notable change", card_grid(stable)),
        paragraph(f"The JSON file has {n_hidden} more columns.", is_soft=True) if n_hidden > 0 else "",
    )


def _column_card(finding: Mapping[str, Any], known: MonitoringContext) -> str:
    label = known.labels.label(finding["column"])
    mark = badge(finding["verdict"], _LEVELS.get(finding["verdict"], "neutral")).markup
    return card(
        f"<h3>{_text(label)} {mark}</h3>",
        _bars(finding, label),
        paragraph(finding["summary"]),
        html_table((), list(_statistic_rows(finding))) if finding["value"] is not None else "",
    )


def _statistic_rows(finding: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    statistic = finding["statistic"]
    value, threshold = (statistic_text(statistic, finding[key]) for key in ("value", "threshold"))
    yield statistic_label(statistic), f"{value} (threshold {threshold})"
    if finding["p_value"] is not None:
        p_value = "below 0.0001" if finding["p_value"] < 0.0001 else f"{finding['p_value']:.2g}"
        level = "" if finding["alpha"] is None else f" (significant below {finding['alpha']:.2g})"
        yield "p-value", f"{p_value}{level}"
    if finding["importance"] is not None:
        yield "Share of feature importance", percent(finding["importance"])


def _bars(finding: Mapping[str, Any], label: str) -> str:
    words = bin_words([str(name) for name, _, _ in finding["shares"]])
    shares = [
        (word, reference, window)
        for word, (name, reference, window) in zip(words, finding["shares"], strict=True)
        if str(name) not in _OUTSIDE or reference or window
    ]
    series = (
        BarSeries("reference", "of the reference", [reference for _, reference, _ in shares]),
        BarSeries("current", "of this window", [window for _, _, window in shares]),
    )
    return bar_chart([name for name, _, _ in shares], series, alt=f"Shares of values: {label}")


def _text(text: str) -> str:
    return text_with_code(text.replace("`", "'")).markup
