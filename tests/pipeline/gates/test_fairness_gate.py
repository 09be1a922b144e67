"""A failing group has the result that the settings declare; too few rows pass, and the reason names them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.fairness import assess_fairness
from pipeline.gates.fairness_gate import fairness_gates
from tests.pipeline.fairness.test_fairness_report import TARGET, config, tallies

UNEQUAL = {"f": (900, 100, 900, 100), "m": (500, 500, 500, 500)}
SMALL = {"f": (9, 1, 9, 1), "m": (500, 500, 500, 500)}


def report(groups: dict[str, tuple[int, int, int, int]], **changes: object) -> dict[str, Any]:
    return assess_fairness([tallies(**groups)], TARGET, config(**changes)).as_dict()


@pytest.mark.parametrize(("gate", "result"), [("report", "pass"), ("hold", "hold"), ("fail", "fail")])
def test_a_failing_group_has_the_declared_result(gate: str, result: str) -> None:
    assert [each.result for each in fairness_gates(report(UNEQUAL, gate=gate), metric="log_loss")] == [result]


def test_too_few_rows_pass_by_name() -> None:
    (gate,) = fairness_gates(report(SMALL, gate="fail"), metric="log_loss")
    assert (gate.result, gate.reason) == ("pass", "2 groups: not enough data")


@pytest.mark.parametrize("plain", [None, assess_fairness([], TARGET, config()).as_dict()])
def test_without_protected_columns_there_is_no_gate(plain: dict[str, Any] | None) -> None:
    assert fairness_gates(plain, metric="log_loss") == []


@pytest.mark.parametrize(
    ("log_loss", "accuracy", "result", "named"),
    [(0.30, 0.90, "pass", "accuracy"), (0.32, 0.90, "hold", "log_loss"), (0.29, 0.88, "hold", "accuracy")],
)
def test_a_mitigation_holds_beyond_its_budget(log_loss: float, accuracy: float, result: str, named: str) -> None:
    metrics = {
        "before": {"log_loss": 0.30, "accuracy": 0.901},
        "after": {"log_loss": log_loss, "accuracy": accuracy},
    }
    mitigation = {"kind": "thresholds", "column": "sex", "metrics": metrics, "budget": 0.005}
    plain = {**assess_fairness([], TARGET, config()).as_dict(), "mitigation": mitigation}
    (gate,) = fairness_gates(plain, metric="log_loss")
    assert (gate.name, gate.result) == ("fairness_budget", result)
    assert f"thresholds by sex: {named} worsens by" in gate.reason
