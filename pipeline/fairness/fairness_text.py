"""Show a fairness report, in the plain form of `FairnessReport.as_dict`, as rows, as text and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.markdown_text import escape_markdown, markdown_table
from pipeline.text import number, percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["fairness_markdown", "fairness_rows", "fairness_summary", "fairness_text", "mitigation_rows"]

_VERDICT_TEXT = {
    "pass": "pass",
    "watch": "watch",
    "fail": "fail",
    "not_enough_data": "not enough data",
    "not_assessed": "not assessed",
}
_HEAD = ("column", "group", "rows", "metric", "group value", "all others", "difference", "interval", "limit", "verdict")


def fairness_summary(report: Mapping[str, Any]) -> str:
    """Return one clause: how many groups fail, need attention, have not enough data and pass."""
    groups = [group for column in report["columns"] for group in column["groups"]]
    if not groups:
        return "no protected column was assessed; `protected: true` in conf/data declares one"
    counts = {verdict: sum(group["verdict"] == verdict for group in groups) for verdict in _VERDICT_TEXT}
    parts = [
        f"{pluralize(n, 'group')}: {_VERDICT_TEXT[verdict]}"
        for verdict in ("fail", "watch", "not_enough_data", "pass")
        if (n := counts[verdict])
    ]
    failing = [
        f"{' and '.join(column['columns'])} {group['group']}"
        for column in report["columns"]
        for group in column["groups"]
        if group["verdict"] == "fail"
    ]
    return "; ".join(parts) + (f" ({', '.join(failing)})" if failing else "")


def fairness_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one flat row for each column, group and metric, for tables and charts.

    Keys are those of a metric in the report, then `column`, `group`, `rows` (text), `group_verdict` and
    `difference` (text). Groups without rows follow, with the verdict `not_enough_data`.
    """
    return [row for column in report["columns"] for row in _column_rows(column)]


def _column_rows(column: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    name = " and ".join(column["columns"])
    for group in column["groups"]:
        for metric in group["metrics"]:
            yield {
                **metric,
                "column": name,
                "group": group["group"],
                "rows": group["n_rows_text"],
                "group_verdict": group["verdict"],
                "difference": _format_effect(metric),
            }
    for label in column["empty"]:
        yield {"column": name, "group": label, "rows": "0", "verdict": "not_enough_data", "metric": ""}


def fairness_text(report: Mapping[str, Any]) -> str:
    """Return a table for a terminal, with what the rows could show where they are too few."""
    rows = [_HEAD, *(_cells(row) for row in fairness_rows(report) if row["metric"])]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"without rows: {name}" for name in _empty_groups(report)]
    lines += [f"{name}: {reason}" for name, reason in report["skipped"].items()]
    if report["mitigation"] is not None:
        lines.append(f"mitigation: {report['mitigation']['kind']} by {report['mitigation']['column']}, out of fold:")
        lines += ["  " + " ".join((*row[:2], row[2], "->", row[3])) for row in mitigation_rows(report["mitigation"])]
    return "\n".join((*lines, f"verdict: {_VERDICT_TEXT[report['verdict']]}; {fairness_summary(report)}"))


def fairness_markdown(report: Mapping[str, Any]) -> str:
    """Return a section for a model card."""
    return "\n".join(_markdown_lines(report)) + "\n"


def _markdown_lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield "## Fairness"
    yield ""
    if not report["columns"]:
        yield "No column is declared as protected, so no groups are compared."
        return
    yield (
        f"Verdict: **{_VERDICT_TEXT[report['verdict']]}** ({escape_markdown(fairness_summary(report))}). Each group is"
        f" compared with all other rows, at {percent(report['confidence_level'])} confidence over"
        f" {pluralize(report['n_comparisons'], 'comparison')} together. Not enough data is not a pass."
    )
    yield ""
    found = [row for row in fairness_rows(report) if row["verdict"] in ("fail", "watch")]
    if found:
        yield from markdown_table(_HEAD, (tuple(map(escape_markdown, _cells(row))) for row in found))
        yield ""
    for column in report["columns"]:
        yield f"- {escape_markdown(' and '.join(column['columns']))}: {escape_markdown(_listed_groups(column))}."
    yield from _mitigation_lines(report["mitigation"])
    if report["skipped"]:
        yield ""
    for name, reason in report["skipped"].items():
        yield f"- {escape_markdown(name)}: {escape_markdown(reason)}."


def _listed_groups(column: Mapping[str, Any]) -> str:
    """Return every group of a column with its rows, by verdict; groups without rows come last."""
    parts = []
    for verdict in ("fail", "watch", "pass", "not_enough_data"):
        names = [
            f"{group['group']} ({group['n_rows_text']})" for group in column["groups"] if group["verdict"] == verdict
        ]
        if names:
            parts.append(f"{_VERDICT_TEXT[verdict]}: {', '.join(names)}")
    if column["empty"]:
        parts.append(f"without rows: {', '.join(column['empty'])}")
    return "; ".join(parts)


def mitigation_rows(mitigation: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return what a mitigation changes out of fold: all rows or group, metric, before, after."""
    metrics = mitigation["metrics"]
    rows: list[tuple[str, ...]] = [
        ("all rows", name, number(metrics["before"][name]), number(metrics["after"][name]))
        for name in ("accuracy", "log_loss", "brier")
        if name in metrics["before"]
    ]
    for before, after in zip(mitigation["groups"]["before"], mitigation["groups"]["after"], strict=True):
        for old, new in zip(before["metrics"], after["metrics"], strict=True):
            values = (number(old["value"], missing=""), number(new["value"], missing=""))
            rows.append((f"{before['group']}", old["metric"], *values))
    return rows


def _mitigation_lines(mitigation: Mapping[str, Any] | None) -> Iterator[str]:
    if mitigation is None:
        return
    yield ""
    yield (
        f"**Mitigation**: `{mitigation['kind']}` by {escape_markdown(mitigation['column'])}. Stated reason:"
        f" {escape_markdown(mitigation['reason'])}. The thresholds of groups are"
        f" {escape_markdown(_threshold_text(mitigation))}. On the out-of-fold rows:"
    )
    yield ""
    yield from markdown_table(
        ("rows", "metric", "without", "with"), (tuple(map(escape_markdown, row)) for row in mitigation_rows(mitigation))
    )


def _threshold_text(mitigation: Mapping[str, Any]) -> str:
    thresholds = mitigation["thresholds"]
    if thresholds is None:
        return "equal"
    return ", ".join(f"{name} {value:.4g}" for name, value in thresholds["thresholds"].items())


def _empty_groups(report: Mapping[str, Any]) -> Iterator[str]:
    for column in report["columns"]:
        if column["empty"]:
            yield f"{' and '.join(column['columns'])} {', '.join(column['empty'])}"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    verdict = _VERDICT_TEXT[row["verdict"]]
    if row["verdict"] == "not_enough_data" and row["smallest_visible"] is not None:
        sides = "below" if row["is_ratio"] else "above"
        verdict += f" (visible: {sides} {row['smallest_visible']:.3g})"
    of_class = "" if row["of_class"] is None else f" of {row['of_class']}"
    low, high = row["low"], row["high"]
    return (
        row["column"],
        row["group"],
        row["rows"],
        f"{row['metric'].replace('_', ' ')}{of_class}",
        number(row["value"], missing=""),
        number(row["others"], missing=""),
        row["difference"],
        "" if low is None or high is None else f"{low:.3f} to {high:.3f}",
        f"ratio {row['limit']:g}" if row["is_ratio"] else f"gap {row['limit']:g}",
        verdict,
    )


def _format_effect(metric: Mapping[str, Any]) -> str:
    if metric["effect"] is None:
        return ""
    return f"x {metric['effect']:.3f}" if metric["is_ratio"] else f"{metric['effect']:+.4f}"
