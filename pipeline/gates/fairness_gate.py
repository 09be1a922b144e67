"""The gates of group `fairness`: the verdict on groups, and the price of a mitigation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pipeline.fairness import fairness_summary
from pipeline.gates.gate_report import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fairness_gates"]


def fairness_gates(report: Mapping[str, Any] | None) -> list[Gate]:
    """Return the gates of a fairness report in its plain form; none where no protected column was assessed.

    A failing group gives the result that `fairness.gate` declares. Groups with too few rows pass the gate, and the
    reason names them: nothing shows that they are treated equally.
    """
    if report is None or not report["columns"]:
        return []
    fails = report["verdict"] == "fail"
    result_of: dict[str, Literal["pass", "hold", "fail"]] = {"report": "pass", "hold": "hold", "fail": "fail"}
    result = result_of[report["gate"]] if fails else "pass"
    reason = fairness_summary(report)
    if fails and result == "pass":
        reason += "; `fairness.gate: report` lets it pass"
    return [Gate("fairness", result, reason)]
