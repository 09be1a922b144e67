"""The panel of groups: how each group of a protected column compares with all other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import formatting, model_charts, page
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["show_fairness"]

_COLORS = {"pass": "green", "watch": "orange", "fail": "red", "not_enough_data": "gray", "not_assessed": "gray"}
_MEANINGS = {
    "pass": "no group is significantly beyond a limit",
    "watch": "a group is beyond a limit, but its interval is not",
    "fail": "the whole interval of a group is beyond a limit",
    "not_enough_data": "groups with too few rows could differ beyond a limit",
    "not_assessed": "no protected column was compared",
}


def show_fairness(report: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Show the groups of the evaluation of a version.

    Parameters
    ----------
    report : mapping
        `fairness` of the evaluation report.
    titles : mapping of str to str
        Title by column.
    """
    verdict = report["verdict"]
    label = formatting.escape_markdown(formatting.humanize(verdict))
    st.markdown(f":{_COLORS.get(verdict, 'gray')}-badge[{label}] {_MEANINGS.get(verdict, '')}")
    for name, reason in report["skipped"].items():
        st.caption(f"{formatting.escape_markdown(titles.get(name, name))}: {formatting.message_markdown(reason)}.")
    if not report["columns"]:
        page.empty_state("No protected column", "declare `protected: true` for a column in conf/data to compare groups")
        return
    st.caption(
        f"{pluralize(round(report['n_rows']), 'test row')}; {pluralize(report['n_comparisons'], 'comparison')} share"
        f" {percent(report['confidence_level'])} intervals. Each group is compared with all other rows."
    )
    labels = {" x ".join(titles.get(name, name) for name in column["columns"]): column for column in report["columns"]}
    left, right = st.columns(2)
    chosen = left.selectbox("Protected column", list(labels), key="fairness_column")
    column = labels[chosen if chosen in labels else next(iter(labels))]
    questions = list(dict.fromkeys(map(_question, _metrics_of(column["groups"]))))
    question = right.selectbox("Metric", questions, format_func=_question_label, key="fairness_metric")
    _show_column(column, question if question in questions else questions[0])


def _metrics_of(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [metric for group in groups for metric in group["metrics"]]


def _question(metric: Mapping[str, Any]) -> tuple[str, str | None]:
    return metric["metric"], metric["of_class"]


def _question_label(question: tuple[str, str | None]) -> str:
    metric, of_class = question
    return formatting.humanize(metric) + (f" of {formatting.shorten(of_class)}" if of_class else "")


def _show_column(column: Mapping[str, Any], question: tuple[str, str | None]) -> None:
    pairs = [
        (group, metric) for group in column["groups"] for metric in group["metrics"] if _question(metric) == question
    ]
    frame = pd.DataFrame([_group_row(group, metric) for group, metric in pairs])
    first = pairs[0][1]
    is_ratio, limit = first["is_ratio"], first["limit"]
    title = "Ratio to the other rows" if is_ratio else "Difference from the other rows"
    limits, equal = ([limit, 1 / limit], 1.0) if is_ratio and limit else ([-limit, limit], 0.0)
    chart = model_charts.group_effects(
        frame[["group", "effect", "low", "high", "verdict", "rows"]], title=title, limits=limits, equal=equal
    )
    page.show_chart(chart, alt=f"{title} of each group with its interval, its limits and its verdict")
    _show_group_table(frame, title)
    if column["empty"]:
        names = ", ".join(formatting.escape_markdown(name) for name in column["empty"])
        st.caption(f"Groups without rows: {names}.")
    st.caption("A gray group has too few rows: it is not known to be treated alike.")


def _group_row(group: Mapping[str, Any], metric: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "group": group["group"],
        "rows": metric["n_rows_text"],
        "value": metric["value"],
        "others": metric["others"],
        "effect": metric["effect"],
        "low": metric["low"],
        "high": metric["high"],
        "smallest_visible": metric["smallest_visible"],
        "verdict": model_charts.VERDICT_LABELS.get(metric["verdict"], metric["verdict"]),
    }


def _show_group_table(frame: pd.DataFrame, title: str) -> None:
    intervals = [
        "-" if pd.isna(low) else f"{formatting.format_number(low)} to {formatting.format_number(high)}"
        for low, high in zip(frame["low"], frame["high"], strict=True)
    ]
    numbers = {
        name: [formatting.format_number(value) for value in frame[name]] for name in ("value", "others", "effect")
    }
    visible = [formatting.format_number(value) for value in frame["smallest_visible"]]
    table = pd.DataFrame(
        {
            "Group": frame["group"],
            "Verdict": frame["verdict"],
            "Rows": frame["rows"],
            "Value": numbers["value"],
            "Other rows": numbers["others"],
            title: numbers["effect"],
            "Interval": intervals,
            "Smallest visible": visible,
        }
    )
    page.show_table(table)
