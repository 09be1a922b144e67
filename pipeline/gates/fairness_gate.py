"""The gates of group `fairness`: the verdict on groups, and the price of a mitigation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pipeline.fairness import fairness_summary
from pipeline.gates.gate_report import Gate
from pipeline.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["fairness_gates"]


def fairness_gates(report: Mapping[str, Any] | None, *, metric: str) -> list[Gate]:
    """Return the gates of a fairness report in its plain form; none where nothing is declared.

    A failing group gives the result that `fairness.gate` declares. Groups with too few rows pass the gate, and the
    reason names them: nothing shows that they are treated equally. A mitigation holds beyond its budget.

    Parameters
    ----------
    report : mapping or None
        The part `fairness` of the evaluation report.
    metric : str
        The metric `promotion.metric`, whose worsening is the price of a mitigation; accuracy counts as well.
    """
    if report is None:
        return []
    gates = [_group_gate(report)] if report["columns"] else []
    return gates if report["mitigation"] is None else [*gates, _budget_gate(report["mitigation"], metric)]


def _group_gate(report: Mapping[str, Any]) -> Gate:
    fails = report["verdict"] == "fail"
    result_of: dict[str, Literal["pass", "hold", "fail"]] = {"report": "pass", "hold": "hold", "fail": "fail"}
    result = result_of[report["gate"]] if fails else "pass"
    reason = fairness_summary(report)
    if fails and result == "pass":
        reason += "; `fairness.gate: report` lets it pass"
    return Gate("fairness", result, reason)


def _budget_gate(mitigation: Mapping[str, Any], metric: str) -> Gate:
    worsenings = dict(_worsenings(mitigation["metrics"], metric))
    name = max(worsenings, key=lambda each: worsenings[each], default=metric)
    price = worsenings.get(name, 0.0)
    return Gate(
        name="fairness_budget",
        result="hold" if price > mitigation["budget"] else "pass",
        reason=f"{mitigation['kind']} by {mitigation['column']}: {name} worsens by {price:.4g} out of fold",
        value=price,
        threshold=mitigation["budget"],
        fails_when="above",
        unit=METRICS[name].unit,
    )


def _worsenings(metrics: Mapping[str, Mapping[str, float | None]], metric: str) -> Iterator[tuple[str, float]]:
    for name in dict.fromkeys((metric, "accuracy")):
        before, after = metrics["before"].get(name), metrics["after"].get(name)
        if before is not None and after is not None:
            yield name, before - after if METRICS[name].higher_is_better else after - before
