"""Live groups are those of the reference, from rows as from roll-ups; what the log does not hold is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.monitoring import PredictionLog
from pipeline.monitoring.log import WindowTallies, window_by_time
from pipeline.monitoring.performance import assess_window, group_fairness
from pipeline.state import open_state
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.package import Package

PROTECTED = ("Stage_fear", "Going_outside")
CONFIG = settings("fairness.pairs=[[Stage_fear,Going_outside]]", "fairness.min_rows=30").fairness


def protected_package(project: Path) -> Package:
    package, _ = production_package(project)
    columns = tuple(replace(column, protected=column.name in PROTECTED) for column in package.schema.columns)
    return replace(package, schema=replace(package.schema, columns=columns))


@pytest.fixture
def rows(project: Path) -> pd.DataFrame:
    """Log rows with their true class as outcome, but for one row without an outcome."""
    frame = live_rows(600, seed=4)
    package = protected_package(project)
    ids = write_log(project, frame, start=NOW - hours_us(10), stop=NOW)
    truth = frame[package.schema.target.column].astype(str).tolist()
    write_outcomes(project, list(zip(ids, truth, strict=True))[1:])
    return frame.assign(predicted=package.predict(frame)).iloc[1:]


def assess(project: Path, package: Package) -> dict[str, Any]:
    state = open_state(project)
    try:
        log = PredictionLog(state, MODEL_NAME, lambda _: package)
        log.roll_up()
        window = window_by_time(log, since=NOW - hours_us(12), until=NOW + 1)
        return assess_window(WindowTallies(log, window), package, CONFIG, seed=1).as_dict()
    finally:
        state.close()


def metric_of(report: dict[str, Any], column: int, group: str, metric: str) -> dict[str, Any]:
    found = next(each for each in report["columns"][column]["groups"] if each["group"] == group)
    return next(each for each in found["metrics"] if each["metric"] == metric)


@pytest.mark.parametrize("max_exact_rows", [20_000, 0])
def test_the_rates_of_a_group_are_those_of_its_rows(
    project: Path, rows: pd.DataFrame, max_exact_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_fairness, "_MAX_EXACT_ROWS", max_exact_rows)
    package = protected_package(project)
    report, positive = assess(project, package), package.schema.target.positive
    of_group = rows[rows["Stage_fear"] == "Yes"]
    selected = metric_of(report, 0, "Yes", "selection_rate")
    assert (selected["n_rows"], selected["value"]) == (
        len(of_group),
        pytest.approx((of_group.predicted == positive).mean()),
    )
    assert report["n_rows"] == 599


def test_rows_give_pairs_and_losses_and_roll_ups_name_what_they_lack(
    project: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(rows) == 599
    package = protected_package(project)
    exact = assess(project, package)
    assert exact["columns"][2]["columns"] == list(PROTECTED)
    assert metric_of(exact, 0, "Yes", "log_loss")["value"] > 0
    monkeypatch.setattr(group_fairness, "_MAX_EXACT_ROWS", 0)
    counted = assess(project, package)
    assert [column["columns"] for column in counted["columns"]] == [["Stage_fear"], ["Going_outside"]]
    assert (
        "the roll-ups of more than 20,000 outcomes hold no pairs" in counted["skipped"]["Stage_fear and Going_outside"]
    )


def test_without_outcomes_nothing_is_compared(project: Path) -> None:
    write_log(project, live_rows(20, seed=1), start=NOW - hours_us(2), stop=NOW)
    report = assess(project, protected_package(project))
    assert (report["verdict"], report["skipped"]) == (
        "not_assessed", {"outcomes": "no prediction of the window has one"}
    )  # fmt: skip


def test_a_column_that_the_log_does_not_hold_is_named(project: Path, rows: pd.DataFrame) -> None:
    assert len(rows) == 599
    package = protected_package(project)
    columns = tuple(
        replace(column, store="drop") if column.name == "Stage_fear" else column for column in package.schema.columns
    )
    report = assess(project, replace(package, schema=replace(package.schema, columns=columns)))
    assert report["skipped"] == {"Stage_fear": "the prediction log has no groups of it (store: drop)"}
