"""Runs are ranked in the direction of a metric, grouped by a setting, and compared with the first of them."""

from __future__ import annotations

import pytest

from pipeline.tracking import run_comparison
from pipeline.tracking.run_search import RecordedRun


def a_run(number: int, *, kind: str = "trial", **values: float | str) -> RecordedRun:
    return RecordedRun(
        run_id=f"{number:032x}",
        name=f"run {number}",
        status="FINISHED",
        started_ms=number,
        ended_ms=number,
        params={name: str(value) for name, value in values.items() if isinstance(value, str)},
        metrics={name.replace("__", "."): value for name, value in values.items() if isinstance(value, float)},
        tags={"mlops.kind": kind},
        artifact_uri="",
    )


RUNS = [
    a_run(1, cv__log_loss=0.3, cv__accuracy=0.8, model="tree"),
    a_run(2, cv__log_loss=0.1, cv__accuracy=0.7, model="linear"),
    a_run(3, cv__log_loss=0.2, model="linear"),
    a_run(4, model="tree"),
]


@pytest.mark.parametrize(("metric", "order"), [("log_loss", [2, 3, 1, 4]), ("accuracy", [1, 2, 3, 4])])
def test_the_best_run_is_first_in_the_direction_of_the_metric(metric: str, order: list[int]) -> None:
    column = f"metrics.cv.{metric}"
    assert [run.started_ms for run in run_comparison.sort_runs(RUNS, column)] == order
    assert run_comparison.best_run(RUNS, column) == RUNS[order[0] - 1]


def test_a_reversed_order_keeps_runs_without_a_value_last() -> None:
    ordered = run_comparison.sort_runs(RUNS, "metrics.cv.log_loss", is_reversed=True)
    assert [run.started_ms for run in ordered] == [1, 3, 2, 4]


@pytest.mark.parametrize("column", ["metrics.cv.threshold", "metrics.cv.baselines.majority.log_loss", "params.model"])
def test_a_column_without_a_direction_has_no_best_run(column: str) -> None:
    assert run_comparison.higher_is_better(column) is None
    assert run_comparison.best_run([a_run(1, cv__threshold=0.5, model="tree")], column) is None


def test_the_group_with_the_best_run_is_first() -> None:
    groups = run_comparison.group_runs(RUNS, "params.model", metric="metrics.cv.log_loss")
    assert [(group.label, len(group.runs), group.best) for group in groups] == [
        ("linear", 2, RUNS[1]),
        ("tree", 2, RUNS[0]),
    ]


def test_columns_are_metrics_on_test_rows_first_then_settings_that_differ() -> None:
    runs = [a_run(1, cv__ece=0.1, test__ece=0.1, seed="1", model="tree"), a_run(2, seed="1", model="linear")]
    assert run_comparison.run_columns(runs) == ["metrics.test.ece", "metrics.cv.ece", "params.model"]


def test_metrics_have_the_difference_to_the_first_run_and_the_best_positions() -> None:
    compared = {metric.name: metric for metric in run_comparison.compare_metrics(RUNS)}
    loss = compared["cv.log_loss"]
    assert loss.differences == pytest.approx((0.0, -0.2, -0.1, None))
    assert (loss.best, compared["cv.accuracy"].best) == ((1,), (0,))


def test_equal_values_have_no_best() -> None:
    equal = [a_run(1, cv__ece=0.1), a_run(2, cv__ece=0.1)]
    assert run_comparison.compare_metrics(equal)[0].best == ()


def test_a_setting_that_only_one_run_has_differs() -> None:
    runs = [a_run(1, depth="3", seed="1"), a_run(2, seed="1")]
    assert run_comparison.differing_settings(runs) == [("depth", ("3", run_comparison.NOT_SET))]


def test_the_newest_runs_with_curves_come_before_newer_trials() -> None:
    runs = [a_run(4), a_run(3, kind="pipeline"), a_run(2), a_run(1, kind="pipeline")]
    assert [run.started_ms for run in run_comparison.newest_with_curves(runs)] == [3, 1]


@pytest.mark.parametrize(
    ("runs", "objective", "column"),
    [
        (RUNS, "accuracy", "metrics.cv.accuracy"),
        (RUNS, "missing", "metrics.cv.log_loss"),
        ([*RUNS, a_run(5, test__accuracy=0.5)], "accuracy", "metrics.cv.accuracy"),
        ([a_run(1)], "accuracy", None),
    ],
)
def test_runs_are_ranked_where_most_of_them_have_the_objective(
    runs: list[RecordedRun], objective: str, column: str | None
) -> None:
    assert run_comparison.default_metric(runs, run_comparison.run_columns(runs), objective) == column
