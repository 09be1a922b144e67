"""The distribution of one feature at one moment: values, statistics, limit, impact, and links to its predictions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.config.setting_lines import setting_lines
from pipeline.errors import MlopsError
from pipeline.metrics import MetricEstimate
from pipeline.monitoring import PerformancePoint
from pipeline.monitoring.drift.bin_labels import bin_filters, bin_words
from pipeline.monitoring.drift.statistic_labels import STATISTIC_EXPLANATIONS, statistic_label, statistic_text
from pipeline.text import day_and_minute, percent

from ... import address, charts, formatting, html_table, links, page, queries, time_range
from ...page_charts import window_charts
from . import drift_panel, time_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.monitoring import DriftPoint
    from pipeline.package import Package
    from pipeline.schema import FeatureLabels

    from ...page_charts.window_charts import TimeAxis
    from ...page_queries.window_queries import DriftOverview, WindowKey

__all__ = ["drift_impact", "limit_key", "show_distribution"]

_WHOLE_PERIOD = "all"
_MAX_BIN_ROWS = 40


def show_distribution(
    overview: DriftOverview, package: Package, labels: FeatureLabels, *, key: WindowKey, axis: TimeAxis, baseline: str
) -> None:
    """Show the distribution of the selected feature; `baseline` names the other side of the comparison."""
    findings = {finding["column"]: finding for finding in drift_panel.ordered_findings(overview.report)}
    if not findings:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        column = address.choose(
            st.selectbox,
            list(findings),
            parameter="column",
            key=drift_panel.COLUMN_KEY,
            default=next(iter(findings)),
            format_func=lambda name: f"{labels.label(name)}: {drift_panel.VERDICT_LABELS[findings[name]['verdict']]}",
            label="Feature",
            width=330,
        )
        points = next((line.points for line in overview.lines if line.column == column), ())
        point = _select_moment(points)
    finding = findings[column] if point is None else point.finding.as_dict()
    since, until = (key.since, key.until) if point is None else (point.since, point.until)
    _show_facts(finding, findings, labels, own_limits=package.schema.drift_limits)
    left, right = st.columns([3, 2])
    with left:
        _show_shares(finding, baseline, labels)
    with right:
        _show_missing_share(points, axis)
    _show_details(finding, package, key=key, ends=(since, until), baseline=baseline)


def _show_details(
    finding: dict[str, Any], package: Package, *, key: WindowKey, ends: tuple[int, int], baseline: str
) -> None:
    """Show links to the predictions between two moments, the shares of values, and the statistics."""
    since, until = ends
    selection = {
        "range": "custom",
        "since": time_range.address_moment(since),
        "until": time_range.address_moment(until),
        "version": key.version,
    }
    with st.container(horizontal=True):
        links.show_link("Predictions of this period", "history", icon="list", **selection)
        links.show_link("Wrong predictions", "history", icon="error", outcome="wrong", **selection)
    left, right = st.columns(2)
    with left:
        _show_values(finding, package, selection, baseline=baseline)
    with right:
        _show_statistics(finding)


def _select_moment(points: tuple[DriftPoint, ...]) -> DriftPoint | None:
    """Return the selected point over time, None for the whole period; a moment selects the point that contains it."""
    by_id = {time_range.address_moment(point.since): point for point in points if point.ratio is not None}
    wanted = time_range.parse_address_moment(st.query_params.get("at", ""))
    if wanted is not None and time_range.address_moment(wanted) not in by_id:
        containing = [name for name, point in by_id.items() if point.since <= wanted < point.until]
        st.query_params["at"] = containing[0] if containing else _WHOLE_PERIOD
    zone = page.user_time_zone()
    chosen = address.choose(
        st.selectbox,
        [_WHOLE_PERIOD, *reversed(by_id)],
        parameter="at",
        key=drift_panel.AT_KEY,
        default=_WHOLE_PERIOD,
        format_func=lambda name: "Whole period" if name == _WHOLE_PERIOD else _moment_label(by_id[name], zone),
        label="Moment",
        width=330,
    )
    return by_id.get(chosen)


def _moment_label(point: DriftPoint, zone: Any) -> str:
    ends = f"{day_and_minute(point.since, zone)} - {day_and_minute(point.until, zone)}"
    return f"{ends}: {point.ratio or 0:.2g} x limit"


def drift_impact(finding: Mapping[str, Any], findings: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return the share of a feature in the drift times importance of all drifting features; None if it has none."""
    drifting = [each for each in findings.values() if each["verdict"] == "drift" and each["kind"] == "feature"]
    total = sum(each["priority"] or 0.0 for each in drifting)
    if finding["verdict"] != "drift" or finding["kind"] != "feature" or not total:
        return None
    return min((finding["priority"] or 0.0) / total, 1.0)


def limit_key(statistic: str) -> str:
    """Return the setting of the limit of a deciding statistic."""
    return f"drift.{'categorical' if statistic == 'jensen_shannon' else 'numeric'}.{statistic}"


def _show_facts(
    finding: dict[str, Any],
    findings: Mapping[str, Mapping[str, Any]],
    labels: FeatureLabels,
    *,
    own_limits: Mapping[str, float],
) -> None:
    name, text = labels.label(finding["column"]), formatting.shorten(finding["summary"], 300)
    parts = [f"**{formatting.escape_markdown(name)}**: {formatting.message_markdown(text)}"]
    impact = drift_impact(finding, findings)
    if impact is not None:
        parts.append(f"Impact: {percent(impact)} of the drift times importance of all drifting features.")
    if finding["importance"] is not None:
        parts.append(f"Importance for the model: {percent(finding['importance'])}.")
    st.markdown("  \n".join(parts))
    if finding["statistic"] is not None:
        _show_limit(finding, own_limits)


def _show_limit(finding: Mapping[str, Any], own_limits: Mapping[str, float]) -> None:
    """Show the limit of a column with a link to the line that sets it."""
    statistic, column = finding["statistic"], finding["column"]
    limit = f"Limit: {statistic_label(statistic)} {statistic_text(statistic, finding['threshold'])}"
    if statistic != "missing" and column in own_limits:
        st.markdown(f"{limit}, `drift_limit` of the column in `conf/data`")
        return
    key = limit_key(statistic)
    file, line = _setting_place(key)
    if file is None:
        st.markdown(f"{limit}, set by `{key}`")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{limit}, set by `{key}` in", width="content")
        links.show_link(file if line is None else f"{file}:{line}", "configuration", file=file, line=line)


def _setting_place(key: str) -> tuple[str | None, int | None]:
    """Return the file and the line that set a key of conf/; None where they are unknown."""
    try:
        _, origin = queries.composition()
    except MlopsError:
        return None, None
    file = next((entry.file for entry in origin if entry.key == key and not entry.override), None)
    path = None if file is None else queries.settings_file(file)
    if path is None:
        return None, None
    return file, setting_lines(path.read_text(encoding="utf-8"), [key]).get(key)


def _show_shares(finding: dict[str, Any], baseline: str, labels: FeatureLabels) -> None:
    sides = (baseline, "this period")
    words = bin_words([str(label) for label, _, _ in finding["shares"]])
    rows = [
        (formatting.shorten(word, 40), side, share)
        for word, (_, *shares) in zip(words, finding["shares"], strict=True)
        for side, share in zip(sides, shares, strict=True)
        if any(shares)
    ]
    if not rows:
        st.caption("Too few rows for a distribution.")
        return
    page.show_chart(
        partial(charts.distribution_comparison, pd.DataFrame(rows, columns=["value", "side", "share"]), sides=sides),
        alt=f"Distribution of {labels.label(finding['column'])}: {baseline} and this period",
    )


def _show_missing_share(points: tuple[DriftPoint, ...], axis: TimeAxis) -> None:
    shares = [
        PerformancePoint(
            point.since, point.until, point.n_rows, MetricEstimate(point.finding.statistics["missing_share_window"])
        )
        for point in points
        if "missing_share_window" in point.finding.statistics
    ]
    if not shares:
        return
    reference = next(
        point.finding.statistics["missing_share_reference"]
        for point in points
        if "missing_share_reference" in point.finding.statistics
    )
    if not reference and not any(point.estimate.value for point in shares):
        st.caption("No missing values, neither here nor in the baseline.")
        return
    page.show_chart(
        partial(
            window_charts.metric_history,
            time_frames.metric_frame([("Missing values", shares)]),
            axis,
            title="Missing values",
            percent=True,
            references=(("baseline", reference, False),),
        ),
        alt="Share of missing values over time",
    )


def _show_values(finding: dict[str, Any], package: Package, selection: dict[str, Any], *, baseline: str) -> None:
    """Show the share of each bin on both sides, with links to its predictions."""
    # The log has no column for the probability of the positive class.
    countable = (*package.reference.columns, package.reference.confidence, package.reference.classes)
    bins = next((each for each in countable if each.name == finding["column"]), None)
    filters = [()] * len(finding["shares"]) if bins is None else list(bin_filters(bins))
    words = bin_words([str(label) for label, _, _ in finding["shares"]])
    rows = []
    for word, (_, before, now), where in zip(words, finding["shares"], filters, strict=True):
        if not before and not now:
            continue
        target = {**selection, "where": list(where)}
        rows.append(
            {
                "Value": word,
                baseline.capitalize(): percent(before),
                "This period": percent(now),
                "Change": f"{100 * (now - before):+.1f} pp",
                "Predictions": html_table.Link("all", links.page_address("history", **target)) if where and now else "",
                "Wrong": html_table.Link("wrong", links.page_address("history", outcome="wrong", **target))
                if where and now
                else "",
            }
        )
    if rows:
        page.show_table(rows[:_MAX_BIN_ROWS], caption="Shares of values on both sides, with links to their predictions")


def _show_statistics(finding: dict[str, Any]) -> None:
    rows = [
        {
            "Statistic": statistic_label(name),
            "Value": statistic_text(name, value),
            "Limit": statistic_text(name, finding["threshold"]) if name == finding["statistic"] else "",
            "Meaning": STATISTIC_EXPLANATIONS.get(name, ""),
        }
        for name, value in finding["statistics"].items()
        if value is not None
    ]
    if rows:
        page.show_table(rows, caption="Drift statistics")
