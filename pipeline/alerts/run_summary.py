"""Keep of a report what other processes show of it: a few figures for each column and metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.alerts.alert_rules import RuleResult
    from pipeline.alerts.rule_inputs import ServerMetrics

__all__ = ["flatten_metrics", "summarize_run"]

_MAX_COLUMNS = 100  # each is a label of Prometheus


def summarize_run(
    report: Mapping[str, Any], rule_results: Sequence[RuleResult], server: ServerMetrics | None
) -> dict[str, Any]:
    """Return the figures of one run of the monitor, the most worrying columns first."""
    kept = ("column", "kind", "verdict", "statistic", "value", "threshold", "priority")
    performance = report["performance"]
    against = {one["metric"]: one for one in report["degradation"]["findings"]}
    metrics = {}
    for name, expected in performance["estimated"].items():
        known = against.get(name, against.get("f1_weighted" if name == "f1_score" else name))
        metrics[name] = {
            "realized": performance.get(name),
            "estimated": expected["value"],
            "baseline": None if known is None else known["baseline"],
            "verdict": None if known is None else known["verdict"],
        }
    return {
        "columns": [{name: one[name] for name in kept} for one in report["drift"]["findings"][:_MAX_COLUMNS]],
        "metrics": metrics,
        "n_rows": performance["total_predictions"],
        "n_outcomes": performance["n_outcomes"],
        "coverage": performance["coverage"],
        "rules": [one.as_dict() for one in rule_results],
        "server": None if server is None else server.as_dict(),
    }


def flatten_metrics(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the same as metrics by name, without those that are not known."""
    return dict(_iter_metrics(figures))


def _iter_metrics(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield "rows", float(figures["n_rows"])
    yield "outcomes", float(figures["n_outcomes"])
    yield "columns_drifted", float(sum(one["verdict"] == "drift" for one in figures["columns"]))
    for one in figures["columns"]:
        if one["value"] is not None:
            yield f"drift.{one['column']}", one["value"]
    for name, one in figures["metrics"].items():
        for how in ("realized", "estimated", "baseline"):
            if one[how] is not None:
                yield f"{how}.{name}", one[how]
