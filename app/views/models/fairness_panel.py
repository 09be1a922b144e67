"""The panel of groups: how each group of a protected column compares with all other rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.fairness import group_moments
from pipeline.text import percent, pluralize

from ... import address, formatting, page
from ...page_charts import model_charts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.fairness import GroupMoment

__all__ = ["show_fairness"]

_COLORS = {"pass": "green", "watch": "orange", "fail": "red", "not_enough_data": "gray", "not_assessed": "gray"}
_MEANINGS = {
    "pass": "no group is significantly beyond a limit",
    "watch": "a group is beyond a limit, but its interval is not",
    "fail": "the whole interval of a group is beyond a limit",
    "not_enough_data": "groups with too few rows could differ beyond a limit",
    "not_assessed": "no protected column was compared",
}


def show_fairness(
    report: Mapping[str, Any],
    titles: Mapping[str, str],
    *,
    live: Sequence[tuple[int, Sequence[Mapping[str, Any]]]] = (),
) -> None:
    """Show the groups of a version: on test rows, and in the windows of the monitor.

    Parameters
    ----------
    report : mapping
        `fairness` of the evaluation report.
    titles : mapping of str to str
        Title by column.
    live : sequence of (end of the window, recorded groups)
        Of the monitor runs about the version, the oldest first.
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
    by_name = {" and ".join(column["columns"]): column for column in report["columns"]}
    chosen, question = _choose_question(by_name, titles)
    column = by_name[chosen]
    _show_column(column, question)
    metric, of_class = question
    moments = group_moments(live, column=chosen, metric=metric, of_class=of_class)
    _show_live(moments, _scale_of(column, question), _effects(column, question))


def _choose_question(
    by_name: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]
) -> tuple[str, tuple[str, str | None]]:
    """Return the name of the chosen column, and its metric and class."""
    left, right = st.columns(2)
    chosen = address.choose(
        left.selectbox,
        list(by_name),
        parameter="protected",
        key="fairness_column",
        default=next(iter(by_name)),
        format_func=lambda name: " x ".join(titles.get(part, part) for part in by_name[name]["columns"]),
        label="Protected column",
    )
    questions = {_question_id(asked): asked for asked in map(_question, _metrics_of(by_name[chosen]["groups"]))}
    asked = address.choose(
        right.selectbox,
        list(questions),
        parameter="fairness_metric",
        key="fairness_metric",
        default=next(iter(questions)),
        format_func=lambda name: _question_label(questions[name]),
        label="Metric",
    )
    return chosen, questions[asked]


def _question_id(question: tuple[str, str | None]) -> str:
    metric, of_class = question
    return metric if of_class is None else f"{metric}:{of_class}"


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
    scale = _scale_of(column, question)
    title = scale.title
    chart = model_charts.group_effects(
        frame[["group", "effect", "low", "high", "verdict", "rows"]],
        title=title,
        limits=scale.limits,
        equal=scale.equal,
    )
    st.markdown("**On test rows**")
    page.show_chart(chart, alt=f"{title} of each group with its interval, its limits and its verdict")
    _show_group_table(frame, title)
    if column["empty"]:
        names = ", ".join(formatting.escape_markdown(name) for name in column["empty"])
        st.caption(f"Groups without rows: {names}.")
    st.caption("A gray group has too few rows: it is not known to be treated alike.")


@dataclass(frozen=True, slots=True)
class _EffectScale:
    """The title of a difference between groups, its limits, and the value that means no difference."""

    title: str
    limits: list[float]
    equal: float


def _scale_of(column: Mapping[str, Any], question: tuple[str, str | None]) -> _EffectScale:
    first = next(metric for metric in _metrics_of(column["groups"]) if _question(metric) == question)
    limit = first["limit"]
    if first["is_ratio"]:
        return _EffectScale("Ratio to the other rows", [limit, 1 / limit] if limit else [0.0, 0.0], 1.0)
    return _EffectScale("Difference from the other rows", [-limit, limit], 0.0)


def _effects(column: Mapping[str, Any], question: tuple[str, str | None]) -> dict[str, float | None]:
    """Return the effect of each group on test rows."""
    return {
        group["group"]: metric["effect"]
        for group in column["groups"]
        for metric in group["metrics"]
        if _question(metric) == question
    }


def _show_live(moments: list[GroupMoment], scale: _EffectScale, test_effects: Mapping[str, float | None]) -> None:
    """Show the groups in the last window of the monitor beside the test rows, and over its windows."""
    st.markdown("**Live predictions with outcomes**")
    if not moments:
        st.caption("No monitor run of the last 30 days compared these groups: `make monitor` does.")
        return
    last = [moment for moment in moments if moment.until == moments[-1].until]
    st.caption(f"Last window of the monitor, until {page.timestamp(last[0].until)}")
    rows = [
        {**_live_row(moment, scale.title), "On test rows": formatting.format_number(test_effects.get(moment.group))}
        for moment in last
    ]
    page.show_table(rows, caption="Groups in the last window, beside the test rows")
    decided = [moment for moment in moments if moment.has_enough_rows]
    if decided:
        frame = pd.DataFrame(
            {
                "at": page.to_local_time([moment.until for moment in decided]),
                "group": [moment.group for moment in decided],
                "effect": [moment.effect for moment in decided],
                "low": [moment.low for moment in decided],
                "high": [moment.high for moment in decided],
                "rows": [moment.n_rows for moment in decided],
                "verdict": [_verdict_label(moment) for moment in decided],
            }
        )
        chart = model_charts.group_effects_over_time(
            frame, sorted(set(frame["group"])), title=scale.title, limits=scale.limits, equal=scale.equal
        )
        page.show_chart(chart, alt=f"{scale.title} of each group by window of the monitor, with its limits")
    n_unknown = len(moments) - len(decided)
    if n_unknown:
        st.caption(f"{pluralize(n_unknown, 'point')} of groups with too few rows are not drawn.")


def _live_row(moment: GroupMoment, title: str) -> dict[str, Any]:
    has_enough = moment.has_enough_rows
    return {
        "Group": moment.group,
        "Verdict": _verdict_label(moment),
        "Rows": "too few to show" if moment.n_rows is None else f"{moment.n_rows:,}",
        title: formatting.format_number(moment.effect) if has_enough else "-",
        "Interval": _interval_text(moment.low, moment.high) if has_enough else "-",
    }


def _verdict_label(moment: GroupMoment) -> str:
    return model_charts.VERDICT_LABELS.get(moment.verdict, moment.verdict)


def _interval_text(low: float | None, high: float | None) -> str:
    if low is None or high is None or low != low or high != high:  # noqa: PLR0124 - NaN
        return "-"
    return f"{formatting.format_number(low)} to {formatting.format_number(high)}"


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
    intervals = list(map(_interval_text, frame["low"], frame["high"]))
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
