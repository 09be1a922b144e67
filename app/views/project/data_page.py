"""The data page: quality, validation checks, features and split of the training data."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.schema.feature_labels import FeatureLabels
from pipeline.text import percent, pluralize

from ... import address, charts, formatting, html_table, links, page, queries
from ...page_queries import report_queries

__all__ = ["render"]

# Label and meaning of each part of the quality score.
_QUALITY_PARTS = {
    "completeness": ("Completeness", "Feature values that are not missing"),
    "validity": ("Validity", "Rows that pass every declared rule"),
    "uniqueness": ("Uniqueness", "Rows that do not repeat another row"),
    "consistency": ("No outliers", "Numbers that are not outliers; a constant feature counts as 0"),
}
_LEVEL_COLORS = {"ok": "green", "warning": "orange", "error": "red", "critical": "red"}
_PARTS = ("train", "test")
_CHECKS, _FEATURES, _SPLIT = "Checks", "Features", "Split"


def render() -> None:
    """Show the page."""
    page.render_page("Data", "Training data quality.", _render_body)


def _render_body() -> None:
    report = queries.load_report(paths.VALIDATION_REPORT)
    labels = FeatureLabels.from_schema(Schema.from_config(queries.config().data))
    page.error_boundary(_show_run)
    _show_quality(report)
    checks, features, split = st.tabs([_CHECKS, _FEATURES, _SPLIT], key="data_tab", bind="query-params")
    with checks:
        _show_checks(report, labels)
    with features:
        page.error_boundary(lambda: _show_features(report, labels))
    with split:
        page.error_boundary(lambda: _show_split(labels))


def _show_run() -> None:
    """Name the commit and the time of the validation, with a link to its HTML report."""
    listed = next(report for report in report_queries.html_reports() if report.path == paths.VALIDATION_HTML)
    facts = [f"`{formatting.shorten(queries.config().data.name)}`"]
    if listed.head is not None:
        facts.append(f"commit `{listed.commit}`" if listed.commit else "not committed yet")
    if listed.written_at is not None:
        facts.append(f"report written {page.timestamp(listed.written_at)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(", ".join(facts), width="content")
        links.show_link("HTML report", "reports", icon="description")


def _show_quality(report: dict[str, Any]) -> None:
    cards = st.columns(4)
    cards[0].metric("Quality", f"{report['quality_score']:.1f} of 100", border=True, help="Weighted sum of four shares")
    cards[1].metric("Rows", f"{report['rows']:,}", border=True)
    cards[2].metric("Quarantined", f"{report['quarantined']:,}", border=True, help="Rows that violate a declared rule")
    missing = report["missing_data"]["incomplete_rows"]
    cards[3].metric(
        "Incomplete rows",
        percent(missing["share"]),
        border=True,
        help=f"{pluralize(missing['rows'], 'row')} with a missing value",
    )
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        st.markdown("**Quality score**")
        page.show_table(_score_rows(report), caption="Parts of the quality score with their weights")
    with right, st.container(border=True):
        st.markdown("**Classes**")
        classes = [(formatting.shorten(name), balance["share"]) for name, balance in report["class_balance"].items()]
        page.show_chart(
            charts.share_bars(pd.DataFrame(classes, columns=["name", "share"]), title="Share of rows"),
            alt="Share of rows by class",
        )


def _score_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how the shares and their weights add up to the score."""
    weights = queries.config().validation.score_weights.model_dump()
    rows = [
        {
            "Part": label,
            "Meaning": meaning,
            "Share": percent(report["quality"][name]),
            "Weight": f"{weights[name]:g}",
            "Points": f"{weights[name] * report['quality'][name]:.1f}",
        }
        for name, (label, meaning) in _QUALITY_PARTS.items()
    ]
    total = {"Part": "Score", "Meaning": "", "Share": "", "Weight": f"{sum(weights.values()):g}"}
    return [*rows, {**total, "Points": f"{report['quality_score']:.1f}"}]


def _show_checks(report: dict[str, Any], labels: FeatureLabels) -> None:
    warnings = [finding for finding in report["findings"] if finding["level"] != "ok"]
    n_checks = pluralize(len(report["findings"]), "check")
    if warnings:
        st.markdown(f"{len(warnings)} of {n_checks} raised a warning.")
        page.show_table([_finding_row(finding, labels) for finding in warnings], caption="Checks that raised a warning")
    else:
        st.success(f"{n_checks} passed.", icon=":material/check_circle:")
    for finding in [finding for finding in warnings if finding["examples"]][:20]:
        rule = formatting.escape_markdown(finding["rule"])
        with st.expander(f"Failed rows: {rule} of {formatting.escape_markdown(_subject(finding, labels))}"):
            page.show_table(pd.DataFrame(finding["examples"]).rename(columns={"row": "Row (from 0)", "value": "Value"}))
    if report["leakage"]:
        names = ", ".join(map(labels.label, report["leakage"]))
        st.error(f"Target leakage in: {formatting.escape_markdown(names)}", icon=":material/warning:")
    for skipped in report["not_evaluated"]:
        st.warning(
            f"{formatting.escape_markdown(labels.label(skipped['column']))} was not checked:"
            f" {formatting.escape_markdown(skipped['reason'])}"
        )


def _subject(finding: dict[str, Any], labels: FeatureLabels) -> str:
    return labels.label(finding["column"]) if finding["column"] else "Whole rows"


def _finding_row(finding: dict[str, Any], labels: FeatureLabels) -> dict[str, Any]:
    name = finding["column"]
    return {
        "Level": html_table.Badge(finding["level"], _LEVEL_COLORS.get(finding["level"], "gray")),
        "Check": formatting.humanize(finding["rule"]).capitalize(),
        "Feature": _feature_link(name, labels) if name else _subject(finding, labels),
        "Finding": finding["message"],
        "Likely cause and fix": finding["cause"],
    }


def _feature_link(name: str, labels: FeatureLabels) -> html_table.Link:
    return html_table.Link(labels.label(name), links.page_address("data", data_tab=_FEATURES, column=name))


def _show_features(report: dict[str, Any], labels: FeatureLabels) -> None:
    distributions = report["distributions"]
    names = labels.order(distributions)
    page.show_table([_feature_row(report, name, labels) for name in names], caption="Features and target")
    name = address.choose(
        st.selectbox,
        names,
        parameter="column",
        key="data_column",
        default=names[0],
        format_func=labels.label,
        label="Feature or target",
    )
    _show_feature(report, name, labels)


def _feature_row(report: dict[str, Any], name: str, labels: FeatureLabels) -> dict[str, Any]:
    feature = report["distributions"][name]
    n_warnings = sum(finding["column"] == name and finding["level"] != "ok" for finding in report["findings"])
    outliers = report["outliers"].get(name)
    return {
        "Feature": _feature_link(name, labels),
        "Kind": feature["kind"],
        "Warnings": html_table.Badge(str(n_warnings), "orange") if n_warnings else "none",
        "Missing": percent(feature["n_missing"] / max(feature["n_rows"], 1)),
        "Outliers": "-" if outliers is None else f"{outliers:,}",
        "Distinct": "-" if feature["n_distinct"] is None else f"{feature['n_distinct']:,}",
        "Min": _value_text(feature["low"], feature["kind"]),
        "Mean": formatting.format_number(feature["mean"]),
        "Max": _value_text(feature["high"], feature["kind"]),
    }


def _value_text(value: float | None, kind: str) -> str:
    is_whole = value is not None and kind == "integer" and float(value).is_integer()
    return f"{value:,.0f}" if is_whole else formatting.format_number(value)


def _show_feature(report: dict[str, Any], name: str, labels: FeatureLabels) -> None:
    feature = report["distributions"][name]
    for finding in report["findings"]:
        if finding["column"] == name and finding["level"] != "ok":
            st.warning(
                f"{formatting.message_markdown(finding['message'])}. {formatting.message_markdown(finding['cause'])}"
            )
    bars = pd.DataFrame(feature["bars"], columns=["value", "rows"])
    if bars.empty:
        st.info("This feature has no values to plot.")
    else:
        page.show_chart(charts.value_counts(bars), alt=f"Rows by value of {labels.label(name)}")
    if feature["quantiles"]:
        st.caption("Quantiles: share of the rows at or below a value")
        quantiles = sorted(feature["quantiles"].items(), key=lambda item: float(item[0].split()[0]))
        page.show_table(
            [{key: _value_text(value, feature["kind"]) for key, value in quantiles}],
            caption=f"Quantiles of {labels.label(name)}",
        )


def _show_split(labels: FeatureLabels) -> None:
    report = queries.load_report(paths.SPLIT_REPORT)
    sizes = report["sizes"]
    parts = [name for name in _PARTS if name in sizes]
    st.markdown(", ".join(f"{name}: **{pluralize(sizes[name], 'row')}**" for name in parts))
    if report["is_valid"]:
        st.success("Train and test follow the same distribution.", icon=":material/check_circle:")
    else:
        st.error("Train and test differ significantly; see below.", icon=":material/error:")
    shares = pd.DataFrame(report["class_balance"])
    classes = shares[[name for name in parts if name in shares]].map(percent).rename_axis("Class").reset_index()
    page.show_table(classes, caption="Share of each class in train and test rows")
    if report["drift"]:
        st.markdown("**Drift between train and test rows**")
        st.caption("A feature drifts if its distance exceeds the threshold and the p-value is below its level.")
        drift = {result["column"]: result for result in report["drift"]}
        page.show_table(
            [_drift_row(drift[name], labels) for name in labels.order(drift)],
            caption="Drift between train and test rows by feature",
        )


def _drift_row(result: dict[str, Any], labels: FeatureLabels) -> dict[str, Any]:
    return {
        "Feature": _feature_link(result["column"], labels),
        "Verdict": html_table.Badge("drift", "red") if result["drifted"] else html_table.Badge("stable", "green"),
        "Distance (Jensen-Shannon)": formatting.format_number(result["distance"]),
        "Threshold": formatting.format_number(result["threshold"]),
        "p-value": formatting.format_number(result["p_value"]),
        "Level": formatting.format_number(result["alpha"]),
    }
