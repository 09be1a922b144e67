"""The performance of a window equals scikit-learn for its rows, from rows as from roll-ups, in all its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import accuracy_score, f1_score

from pipeline.monitoring import IntervalOptions, PredictionLog
from pipeline.monitoring.log import WindowTallies, window_by_time
from pipeline.monitoring.performance import PerformanceReport, evaluate_window, performance_report
from pipeline.state import open_state
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

INTERVALS = IntervalOptions(confidence_level=0.9, bootstrap_samples=100, seed=0)
N_ROWS = 1_500


@pytest.fixture
def rows(project: Path) -> pd.DataFrame:
    """Log rows with an outcome each, a tenth of them wrong on purpose, and return them with their predictions."""
    package, _ = production_package(project)
    frame = live_rows(N_ROWS, seed=4)
    ids = write_log(project, frame, start=NOW - hours_us(10), stop=NOW)
    classes = package.classes
    other = {classes[0]: classes[1], classes[1]: classes[0]}
    truth = frame[package.schema.target.column].astype(str).tolist()
    outcomes = [other[label] if i % 10 == 0 else label for i, label in enumerate(truth)]
    write_outcomes(project, list(zip(ids, outcomes, strict=True)))
    return frame.assign(outcome=outcomes, predicted=package.predict(frame))


def evaluate(project: Path) -> PerformanceReport:
    package, _ = production_package(project)
    state = open_state(project)
    try:
        log = PredictionLog(state, MODEL_NAME, lambda _: package)
        log.roll_up()
        window = window_by_time(log, since=NOW - hours_us(12), until=NOW + 1)
        return evaluate_window(WindowTallies(log, window), package, intervals=INTERVALS)
    finally:
        state.close()


@pytest.mark.parametrize("max_exact_rows", [20_000, 0])
def test_realized_metrics_equal_scikit_learn_from_rows_and_from_rollups(
    project: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, max_exact_rows: int
) -> None:
    monkeypatch.setattr(performance_report, "_MAX_EXACT_ROWS", max_exact_rows)
    realized = evaluate(project).realized
    expected = {
        "accuracy": accuracy_score(rows["outcome"], rows["predicted"]),
        "f1_weighted": f1_score(rows["outcome"], rows["predicted"], average="weighted"),
    }
    assert {name: realized.metrics[name].value for name in expected} == pytest.approx(expected, abs=1e-9)
    assert (realized.n_rows, realized.n_outcomes, realized.coverage) == (N_ROWS, N_ROWS, 1.0)


def test_estimates_from_rows_and_from_rollups_agree(
    project: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(rows) == N_ROWS
    from_rows = evaluate(project).estimated
    monkeypatch.setattr(performance_report, "_MAX_EXACT_ROWS", 0)
    from_rollups = evaluate(project).estimated
    for name, metric in from_rows.metrics.items():
        assert from_rollups.metrics[name].value == pytest.approx(metric.value, abs=0.001)
    assert (from_rollups.n_rows, from_rollups.is_estimated) == (from_rows.n_rows, True)


def test_the_only_version_and_the_only_source_have_the_performance_of_the_window(
    project: Path, rows: pd.DataFrame
) -> None:
    assert len(rows) == N_ROWS
    report, (_, version) = evaluate(project), production_package(project)
    assert report.by_version == {str(version): report.realized}
    assert report.by_source == {"api": report.realized}


def test_slices_have_the_accuracy_of_pandas_and_a_simultaneous_wilson_interval(
    project: Path, rows: pd.DataFrame
) -> None:
    package, _ = production_package(project)
    slices = evaluate(project).slices
    assert len(slices) > 5
    is_correct = (rows["outcome"] == rows["predicted"]).to_numpy()
    level = 1 - (1 - INTERVALS.confidence_level) / len(slices)
    for part in slices:
        bins = package.reference.column(part.column)
        in_bin = np.asarray(bins.codes(rows[part.column])) == list(bins.labels).index(part.value)
        n, n_correct = int(in_bin.sum()), int(is_correct[in_bin].sum())
        interval = binomtest(n_correct, n).proportion_ci(confidence_level=level, method="wilson")
        assert (part.n_outcomes, part.accuracy) == (n, pytest.approx(n_correct / n))
        assert (part.low, part.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
        assert part.is_below_overall == (part.high < is_correct.mean())
    assert [part.high for part in slices] == sorted(part.high for part in slices)
    assert norm.ppf(1 - (1 - level) / 2) > norm.ppf(1 - (1 - INTERVALS.confidence_level) / 2)


def test_a_window_without_rows_has_no_metrics(project: Path) -> None:
    report = evaluate(project)
    metrics: list[Any] = [report.realized.metrics["accuracy"].value, report.estimated.metrics["accuracy"].value]
    assert (metrics, report.slices, dict(report.by_version)) == ([None, None], (), {})
