"""Say one incident in words: likeliest causes, share of rows, loss, window, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.alerts.alert_rules import SEVERITIES
from pipeline.text import percent, pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.alerts.alert_rules import RuleResult

__all__ = ["IncidentMessage", "compose_message", "highest_severity"]

_MAX_CAUSES = 3
_MAX_CAUSE_CHARS = 300  # of one cause: a message is read on a telephone


@dataclass(frozen=True, slots=True)
class IncidentMessage:
    """A title of one line, the text below it, and the same as plain values."""

    title: str
    text: str
    details: dict[str, Any]


def highest_severity(results: Sequence[RuleResult]) -> str:
    """Return the highest severity of some rules."""
    return max((one.severity for one in results), key=SEVERITIES.index)


def compose_message(model: str, firing_results: Sequence[RuleResult], report: Mapping[str, Any]) -> IncidentMessage:
    """Return the message about what the rules of one group say of a window; `said` are those that speak."""
    ranked = sorted(firing_results, key=lambda one: -SEVERITIES.index(one.severity))
    title = f"{model}: {'; '.join(one.summary for one in ranked)}"
    is_about_rows = any(one.condition in ("drift", "degradation", "not_trusted") for one in firing_results)
    causes = _likeliest_causes(report) if is_about_rows else []
    details = {
        "rules": [one.as_dict() for one in ranked],
        "causes": causes,
        "affected_share": _affected_row_share(report, ranked) if is_about_rows else _server_error_rate(ranked),
        "affected": "rows" if is_about_rows else "answers",
        "loss": _accuracy_loss(report) if is_about_rows else None,
        "window": dict(report["drift"]["window"]),
        "n_predictions": report["dashboard"]["total_predictions"],
        "next": ranked[0].next_command,
    }
    return IncidentMessage(title, "\n".join(_text_lines(details)), details)


def _text_lines(details: Mapping[str, Any]) -> list[str]:
    window = details["window"]
    found = [
        f"Window: {window['since']} to {window['until']} ({pluralize(details['n_predictions'], 'prediction')})",
        *(f"{number}. {cause['words']}" for number, cause in enumerate(details["causes"], start=1)),
    ]
    if details["causes"]:
        found.insert(1, "Likeliest causes:" if len(details["causes"]) > 1 else "Likeliest cause:")
    if details["affected_share"] is not None:
        least = "at least " if details["affected"] == "rows" else ""
        found.append(f"Affected: {least}{percent(details['affected_share'])} of {details['affected']}")
    if details["loss"] is not None:
        found.append(f"Estimated loss: {details['loss']['words']}")
    return [*found, f"Next: {details['next']}"]


def _likeliest_causes(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the three columns that worry most: how often each passes its limit, times what it is worth to the model.

    What the model says is no cause of what it is given: it counts only where no column drifted.
    """
    drifted = [one for one in report["drift"]["findings"] if one["verdict"] == "drift"]
    moved = [one for one in drifted if one["kind"] == "feature"] or drifted
    ranked = sorted(moved, key=lambda one: (-(one["priority"] or 0.0), one["column"]))
    total = sum(one["priority"] or 0.0 for one in moved)
    return [
        {
            "column": one["column"],
            "priority": one["priority"],
            "priority_share": (one["priority"] or 0.0) / total if total else None,
            "importance": one["importance"],
            "words": _describe_cause(one, total),
        }
        for one in ranked[:_MAX_CAUSES]
    ]


def _describe_cause(finding: Mapping[str, Any], total: float) -> str:
    share = f" ({percent((finding['priority'] or 0.0) / total)} of the concern)" if total else ""
    return f"{finding['column']}: {shorten(finding['summary'], _MAX_CAUSE_CHARS)}{share}"


def _affected_row_share(report: Mapping[str, Any], results: Sequence[RuleResult]) -> float | None:
    """Return the least share of rows that cannot be as in training: the total variation of the worst column."""
    if not any(one.condition == "drift" for one in results):
        return None
    moved = [one["statistics"] for one in report["drift"]["findings"] if one["verdict"] == "drift"]
    return max((float(one["total_variation"]) for one in moved if "total_variation" in one), default=None)


def _server_error_rate(results: Sequence[RuleResult]) -> float | None:
    return next((one.value for one in results if one.condition == "error_rate"), None)


def _accuracy_loss(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return by how many answers more than usual are wrong: measured where the rules could measure it, else as estimated."""
    performance, n_rows = report["performance"], report["performance"]["total_predictions"]
    known = {one["metric"]: one for one in report["degradation"]["findings"]}.get("accuracy")
    expected = performance["estimated"].get("accuracy")
    if known is None or not n_rows:
        return None
    is_measured = known["verdict"] != "not_enough_data" and performance.get("accuracy") is not None
    value = performance["accuracy"] if is_measured else None if expected is None else expected["value"]
    usual = known["baseline"]
    if value is None or usual is None:
        return None
    n_lost = max(round((usual - value) * n_rows), 0)
    how = "measured" if is_measured else "expected"
    told = f"about {n_lost:,} more wrong answers than usual" if n_lost else "no more wrong answers than usual"
    return {
        "n_wrong": n_lost,
        "is_measured": is_measured,
        "accuracy": value,
        "usual": usual,
        "words": f"{told} among {n_rows:,} (accuracy {how} {value:.3g}, usual {usual:.3g})",
    }
