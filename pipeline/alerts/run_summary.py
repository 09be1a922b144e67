"""Summarize a monitoring report for other processes: a few values for each column and metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.fairness import recorded_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.alerts.alert_rules import RuleResult
    from pipeline.alerts.rule_inputs import ServerMetrics

__all__ = ["flatten_metrics", "summarize_run"]

_MAX_COLUMNS = 100  # each is a label of Prometheus


def summarize_run(
    report: Mapping[str, Any], rule_results: Sequence[RuleResult], server: ServerMetrics | None
) -> dict[str, Any]:
    """Return the summary of one run of the monitor, the columns of the highest priority first."""
    copied = ("column", "kind", "verdict", "statistic", "value", "threshold", "priority")
    performance = report["performance"]
    degradations = {finding["metric"]: finding for finding in report["degradation"]["findings"]}
    metrics = {}
    for name, estimate in performance["estimated"].items():
        known = degradations.get(name, degradations.get("f1_weighted" if name == "f1_score" else name))
        metrics[name] = {
            "realized": performance.get(name),
            "estimated": estimate["value"],
            "baseline": None if known is None else known["baseline"],
            "verdict": None if known is None else known["verdict"],
        }
    findings = report["drift"]["findings"]
    return {
        "columns": [{name: finding[name] for name in copied} for finding in findings[:_MAX_COLUMNS]],
        "n_drifted": sum(finding["verdict"] == "drift" for finding in findings),
        "metrics": metrics,
        "n_rows": performance["total_predictions"],
        "n_outcomes": performance["n_outcomes"],
        "coverage": performance["coverage"],
        "fairness": recorded_groups(report["fairness"]),
        "rules": [result.as_dict() for result in rule_results],
        "server": None if server is None else server.as_dict(),
    }


def flatten_metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the known values of a summary as metrics by name."""
    return dict(_iter_metrics(summary))


def _iter_metrics(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield "rows", float(summary["n_rows"])
    yield "outcomes", float(summary["n_outcomes"])
    yield "columns_drifted", float(summary["n_drifted"])
    for column in summary["columns"]:
        if column["value"] is not None:
            yield f"drift.{column['column']}", column["value"]
    for name, metric in summary["metrics"].items():
        for source in ("realized", "estimated", "baseline"):
            if metric[source] is not None:
                yield f"{source}.{name}", metric[source]
