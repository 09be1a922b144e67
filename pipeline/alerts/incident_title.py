"""Name an incident in one line: the worst metric and its likely cause, else the worst drift, else the finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.text import percent, pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe_change", "describe_metric", "incident_title"]

_MAX_CHARS = 140
_DIRECTIONS = {"up": "+", "down": "-"}
_STATISTIC_WORDS = {
    "jensen_shannon": "Jensen-Shannon distance",
    "missing": "missing share",
    "rare_values": "a rare value",
    "rank_biserial": "rank-biserial correlation",
}


def incident_title(details: Mapping[str, Any]) -> str:
    """Return the title of an incident from its details, as `incident_message` collects them.

    Examples
    --------
    >>> log_loss = {"label": "Log loss", "baseline": 0.127, "value": 0.235}
    >>> cause = {"label": "Time spent alone", "change": "+0.61 sd"}
    >>> incident_title({"metrics": [log_loss], "causes": [cause], "rules": []})
    'Log loss up 85% (0.127 to 0.235); likely cause: Time spent alone, +0.61 sd'
    >>> incident_title({"metrics": [], "causes": [cause] * 3, "rules": []})
    'Time spent alone drifted, +0.61 sd, and 2 more features'
    """
    metrics, causes = details["metrics"], details["causes"]
    if metrics:
        cause = f"; likely cause: {causes[0]['label']}, {causes[0]['change']}" if causes else ""
        return shorten(f"{describe_metric(metrics[0])}{_others(len(metrics), 'metric')}{cause}", _MAX_CHARS)
    if causes:
        others = _others(len(causes), "feature")
        return f"{causes[0]['label']} drifted, {causes[0]['change']}{',' if others else ''}{others}"
    rules = details["rules"]
    finding = shorten(rules[0]["summary"], _MAX_CHARS) if rules else "Unknown finding"
    return f"{finding[:1].upper()}{finding[1:]}{_others(len(rules), 'finding')}"


def describe_metric(metric: Mapping[str, Any]) -> str:
    """Return how a metric changed: direction, relative change, and both values.

    Examples
    --------
    >>> describe_metric({"label": "Accuracy", "baseline": 0.97, "value": 0.923})
    'Accuracy down 4.8% (0.970 to 0.923)'
    >>> describe_metric({"label": "Log loss", "baseline": 0.0, "value": 0.2})
    'Log loss up (0.000 to 0.200)'
    """
    before, after = metric["baseline"], metric["value"]
    relative = abs(after - before) / abs(before) if before else None
    size = "" if relative is None else f" {percent(relative) if relative < 0.1 else f'{relative:.0%}'}"
    return f"{metric['label']} {'up' if after > before else 'down'}{size} ({before:.3f} to {after:.3f})"


def describe_change(finding: Mapping[str, Any]) -> str:
    """Return the size of a drift in the unit of its statistic, with a sign where it has a direction.

    Examples
    --------
    >>> describe_change({"statistic": "wasserstein", "value": 0.61, "direction": "up"})
    '+0.61 sd'
    >>> describe_change({"statistic": "jensen_shannon", "value": 0.122, "direction": "changed"})
    'Jensen-Shannon distance 0.122'
    >>> describe_change({"statistic": "missing", "value": 0.12, "direction": "changed"})
    'missing share changed by 12%'
    """
    statistic, value = finding["statistic"], finding["value"]
    if value is None:
        return "changed"
    if statistic == "wasserstein":
        return f"{_DIRECTIONS.get(finding['direction'], '')}{value:.2f} sd"
    words = _STATISTIC_WORDS.get(statistic, str(statistic).replace("_", " "))
    return f"{words} changed by {percent(value)}" if statistic in ("missing", "rare_values") else f"{words} {value:.3g}"


def _others(n: int, noun: str) -> str:
    return f" and {pluralize(n - 1, f'more {noun}')}" if n > 1 else ""
