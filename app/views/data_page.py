"""The rows: how good they are, what each column looks like, what the checks found, and how they were split."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import charts, formatting, page, queries
from pipeline.project import paths
from pipeline.text import percent, pluralize

__all__ = ["render"]

_QUALITY_LABELS = {
    "completeness": "Cells that are filled",
    "validity": "Rows that keep every rule",
    "uniqueness": "Rows that repeat no other",
    "consistency": "Numbers that are no outliers",
}


def render() -> None:
    """Show the page."""
    page.render_page("Data", "How good the rows are that the model learned from.", _render_body)


def _render_body() -> None:
    found = queries.load_report(paths.VALIDATION_REPORT)
    _show_quality(found)
    checks, columns, split = st.tabs(["Checks", "Columns", "Split"])
    with checks:
        _show_checks(found)
    with columns:
        page.error_boundary(lambda: _show_columns(found))
    with split:
        page.error_boundary(_show_split)


def _show_quality(found: dict[str, Any]) -> None:
    cards = st.columns(4)
    cards[0].metric(
        "Quality", f"{found['quality_score']:.1f} of 100", border=True, help="The weighted sum of four shares"
    )
    cards[1].metric("Rows", f"{found['rows']:,}", border=True)
    cards[2].metric("Set aside", f"{found['quarantined']:,}", border=True, help="Rows that break a declared rule")
    missing = found["missing_data"]["incomplete_rows"]
    cards[3].metric(
        "Incomplete rows",
        percent(missing["share"]),
        border=True,
        help=f"{pluralize(missing['rows'], 'row')} with a value missing",
    )
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**What the score is made of**")
        parts = [(said, found["quality"][name]) for name, said in _QUALITY_LABELS.items()]
        page.show_chart(
            charts.share_bars(pd.DataFrame(parts, columns=["name", "share"]), title="Share"),
            alt="Parts of the quality score",
        )
    with right, st.container(border=True):
        st.markdown("**Classes**")
        classes = [(formatting.shorten(name), one["share"]) for name, one in found["class_balance"].items()]
        page.show_chart(
            charts.share_bars(pd.DataFrame(classes, columns=["name", "share"]), title="Share of rows"),
            alt="Share of rows by class",
        )


def _show_checks(found: dict[str, Any]) -> None:
    loud = [one for one in found["findings"] if one["level"] != "ok"]
    quiet = len(found["findings"]) - len(loud)
    if not loud:
        st.success(f"{pluralize(quiet, 'check')}, nothing to say.", icon=":material/check_circle:")
    else:
        st.markdown(f"Something was found by {len(loud)} of {pluralize(len(found['findings']), 'check')}.")
    if loud:
        page.show_table(pd.DataFrame([_finding_row(one) for one in loud]))
    shown = [one for one in loud if one["examples"]]
    for one in shown[:20]:
        with st.expander(
            f"Rows that fail: {formatting.escape_markdown(one['rule'])} of {formatting.escape_markdown(one['column'] or 'whole rows')}"
        ):
            page.show_table(pd.DataFrame(one["examples"]).rename(columns={"row": "Row (from 0)", "value": "Value"}))
    if found["leakage"]:
        st.error(
            f"These columns give the answer away: {formatting.escape_markdown(', '.join(found['leakage']))}",
            icon=":material/warning:",
        )
    for one in found["not_evaluated"]:
        st.warning(
            f"{formatting.escape_markdown(one['column'])} could not be checked: {formatting.escape_markdown(one['reason'])}"
        )


def _finding_row(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "Level": one["level"],
        "Check": formatting.humanize(one["rule"]),
        "Column": one["column"] or "whole rows",
        "What was found": one["message"],
        "Usual cause, and what to do": one["cause"],
    }


def _show_columns(found: dict[str, Any]) -> None:
    described = found["distributions"]
    rows = [
        {
            "Column": name,
            "Kind": one["kind"],
            "Missing": one["n_missing"] / max(one["n_rows"], 1),
            "Outliers": found["outliers"].get(name, 0),
            "Distinct": one["n_distinct"],
            "Least": one["low"],
            "Mean": one["mean"],
            "Greatest": one["high"],
        }
        for name, one in described.items()
    ]
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    page.show_table(pd.DataFrame(rows), column_config={"Missing": share})
    name = st.selectbox("Column to look at", list(described), format_func=formatting.shorten, key="data_column")
    if name is None:
        return
    one = described[name]
    bars = pd.DataFrame(one["bars"], columns=["value", "rows"])
    if bars.empty:
        st.info("This column has no values that could be drawn.")
    else:
        page.show_chart(charts.value_counts(bars), alt=f"Rows by value of {formatting.shorten(name)}")
    if one["quantiles"]:
        st.caption("Share of the rows at or below a value")
        page.show_table(
            pd.DataFrame([{key: formatting.format_number(value) for key, value in one["quantiles"].items()}])
        )


def _show_split() -> None:
    found = queries.load_report(paths.SPLIT_REPORT)
    sizes = found["sizes"]
    st.markdown(
        ", ".join(
            f"**{pluralize(sizes[name], 'row')}** to {formatting.escape_markdown(name)}"
            for name in sizes
            if isinstance(sizes[name], int)
        )
    )
    if found["is_valid"]:
        st.success("Both parts look like rows of one source.", icon=":material/check_circle:")
    else:
        st.error("The parts differ more than chance allows; see below.", icon=":material/error:")
    balance = pd.DataFrame(found["class_balance"]).rename_axis("Class").reset_index()
    percent_columns = {name: st.column_config.NumberColumn(format="percent") for name in balance.columns[1:]}
    page.show_table(balance, column_config=percent_columns)
    if found["drift"]:
        st.caption("Distance between the parts by column; one that drifts is larger than its limit and beyond chance")
        kept = [
            {key: one[key] for key in ("column", "distance", "limit", "p_value", "drifted")} for one in found["drift"]
        ]
        page.show_table(pd.DataFrame(kept).rename(columns=lambda key: formatting.humanize(key).capitalize()))
