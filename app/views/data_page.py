"""The data page: quality, validation checks, columns and split of the training data."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import charts, formatting, page, queries
from pipeline.project import paths
from pipeline.text import percent, pluralize

__all__ = ["render"]

_QUALITY_LABELS = {
    "completeness": "Completeness",
    "validity": "Validity",
    "uniqueness": "Uniqueness",
    "consistency": "No outliers",
}


def render() -> None:
    """Show the page."""
    page.render_page("Data", "Training data quality.", _render_body)


def _render_body() -> None:
    report = queries.load_report(paths.VALIDATION_REPORT)
    _show_quality(report)
    checks, columns, split = st.tabs(["Checks", "Columns", "Split"], key="data_tab", bind="query-params")
    with checks:
        _show_checks(report)
    with columns:
        page.error_boundary(lambda: _show_columns(report))
    with split:
        page.error_boundary(_show_split)


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
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**Components of the quality score**")
        parts = [(label, report["quality"][name]) for name, label in _QUALITY_LABELS.items()]
        page.show_chart(
            charts.share_bars(pd.DataFrame(parts, columns=["name", "share"]), title="Share"),
            alt="Components of the quality score",
        )
    with right, st.container(border=True):
        st.markdown("**Classes**")
        classes = [(formatting.shorten(name), balance["share"]) for name, balance in report["class_balance"].items()]
        page.show_chart(
            charts.share_bars(pd.DataFrame(classes, columns=["name", "share"]), title="Share of rows"),
            alt="Share of rows by class",
        )


def _show_checks(report: dict[str, Any]) -> None:
    warnings = [finding for finding in report["findings"] if finding["level"] != "ok"]
    n_checks = pluralize(len(report["findings"]), "check")
    if warnings:
        st.markdown(f"{len(warnings)} of {n_checks} raised a warning.")
        page.show_table(pd.DataFrame([_finding_row(finding) for finding in warnings]))
    else:
        st.success(f"{n_checks} passed.", icon=":material/check_circle:")
    for finding in [finding for finding in warnings if finding["examples"]][:20]:
        rule = formatting.escape_markdown(finding["rule"])
        with st.expander(f"Failed rows: {rule} of {formatting.escape_markdown(finding['column'] or 'whole rows')}"):
            page.show_table(pd.DataFrame(finding["examples"]).rename(columns={"row": "Row (from 0)", "value": "Value"}))
    if report["leakage"]:
        st.error(
            f"Target leakage in: {formatting.escape_markdown(', '.join(report['leakage']))}",
            icon=":material/warning:",
        )
    for skipped in report["not_evaluated"]:
        st.warning(
            f"{formatting.escape_markdown(skipped['column'])} was not checked:"
            f" {formatting.escape_markdown(skipped['reason'])}"
        )


def _finding_row(finding: dict[str, Any]) -> dict[str, Any]:
    return {
        "Level": finding["level"],
        "Check": formatting.humanize(finding["rule"]),
        "Column": finding["column"] or "whole rows",
        "Finding": finding["message"],
        "Likely cause and fix": finding["cause"],
    }


def _show_columns(report: dict[str, Any]) -> None:
    distributions = report["distributions"]
    rows = [
        {
            "Column": name,
            "Kind": column["kind"],
            "Missing": column["n_missing"] / max(column["n_rows"], 1),
            "Outliers": report["outliers"].get(name, 0),
            "Distinct": column["n_distinct"],
            "Min": column["low"],
            "Mean": column["mean"],
            "Max": column["high"],
        }
        for name, column in distributions.items()
    ]
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    page.show_grid(pd.DataFrame(rows), column_config={"Missing": share})
    name = st.selectbox("Column", list(distributions), format_func=formatting.shorten, key="data_column")
    if name is None:
        return
    distribution = distributions[name]
    bars = pd.DataFrame(distribution["bars"], columns=["value", "rows"])
    if bars.empty:
        st.info("This column has no values to plot.")
    else:
        page.show_chart(charts.value_counts(bars), alt=f"Rows by value of {formatting.shorten(name)}")
    if distribution["quantiles"]:
        st.caption("Quantiles: share of the rows at or below a value")
        page.show_table(
            pd.DataFrame([{key: formatting.format_number(value) for key, value in distribution["quantiles"].items()}])
        )


def _show_split() -> None:
    report = queries.load_report(paths.SPLIT_REPORT)
    sizes = report["sizes"]
    st.markdown(
        ", ".join(
            f"{formatting.escape_markdown(name)}: **{pluralize(sizes[name], 'row')}**"
            for name in sizes
            if isinstance(sizes[name], int)
        )
    )
    if report["is_valid"]:
        st.success("Train and test follow the same distribution.", icon=":material/check_circle:")
    else:
        st.error("Train and test differ significantly; see below.", icon=":material/error:")
    balance = pd.DataFrame(report["class_balance"]).rename_axis("Class").reset_index()
    percent_columns = {name: st.column_config.NumberColumn(format="percent") for name in balance.columns[1:]}
    page.show_grid(balance, column_config=percent_columns)
    if report["drift"]:
        st.caption("Distance between train and test by column; drift is significant and exceeds its threshold")
        keys = ("column", "distance", "threshold", "p_value", "drifted")
        rows = [{key: column[key] for key in keys} for column in report["drift"]]
        page.show_table(pd.DataFrame(rows).rename(columns=lambda key: formatting.humanize(key).capitalize()))
