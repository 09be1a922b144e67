"""A sampled log is counted for all predictions, with the results of pandas with weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, roc_auc_score

from pipeline import state as store
from pipeline.monitoring import ModelMonitor, PredictionLog, roll_up
from pipeline.monitoring.log.log_window import WindowTallies, window_by_time
from pipeline.monitoring.log.rollup_updates import rebuild_rollups
from pipeline.monitoring.log.sampling_weights import effective_sample, thin_to_equal_weight
from pipeline.monitoring.performance import performance_report
from pipeline.state import RollupCounts, open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

N_ROWS = 3_000


def test_shares_are_weighted_and_tests_use_the_number_of_logged_rows(project: Path, logged: pd.DataFrame) -> None:
    package, _ = production_package(project)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    log = PredictionLog(state, MODEL_NAME, lambda _: package)
    window = window_by_time(log, since=NOW - hours_us(30), until=NOW + 1)
    counts = WindowTallies(log, window).bin_counts(package)
    rebuild_rollups(state, MODEL_NAME, lambda _: package)
    recounted = WindowTallies(log, window).bin_counts(package)
    state.close()
    weight = logged["weight"].to_numpy()
    effective = weight.sum() ** 2 / (weight**2).sum()
    assert counts.n_rows == N_ROWS
    for bins in package.reference.columns:
        codes = bins.finest.codes(logged[bins.name])
        shares = np.bincount(codes, weights=weight, minlength=len(bins.finest.labels)) / weight.sum()
        assert counts.features[bins.name] == pytest.approx(shares * effective, rel=1e-9)
        assert recounted.features[bins.name] == pytest.approx(counts.features[bins.name], rel=1e-12)


@pytest.mark.parametrize("is_from_rows", [True, False])
def test_performance_equals_weighted_pandas(
    project: Path, logged: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, is_from_rows: bool
) -> None:
    monkeypatch.setattr(performance_report, "_MAX_EXACT_ROWS", 20_000 if is_from_rows else 0)
    metrics = make_monitor(project).calculate_performance_metrics(window_hours=40)
    known = logged[logged["is_known"]]
    target = production_package(project)[0].schema.target
    y, predicted, weights = known["truth"], known["predicted"], known["weight"]
    tolerance = 1e-9 if is_from_rows else 0.001
    is_positive = y == target.positive
    assert (metrics["n_outcomes"], metrics["total_predictions"]) == (N_ROWS // 2, N_ROWS)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(y, predicted, sample_weight=weights), abs=1e-9)
    assert metrics["f1_score"] == pytest.approx(
        f1_score(y, predicted, average="weighted", sample_weight=weights), abs=1e-9
    )
    auc = roc_auc_score(is_positive, known["score"], sample_weight=weights)
    assert metrics["roc_auc"] == pytest.approx(auc, abs=tolerance)
    brier = brier_score_loss(is_positive, known["score"], sample_weight=weights)
    assert metrics["brier"] == pytest.approx(brier, abs=tolerance)
    low, high = metrics["intervals"]["accuracy"]
    effective = weights.sum() ** 2 / (weights**2).sum()
    wald = 3.92 * math.sqrt(metrics["accuracy"] * (1 - metrics["accuracy"]) / effective)
    assert high - low == pytest.approx(wald, rel=0.25)


def test_an_equal_share_of_everything_changes_no_verdict(project: Path) -> None:
    """Each row standing for ten makes nobody surer of what it says."""
    frame = live_rows(800)
    write_log(project, frame, start=NOW - hours_us(2.9), stop=NOW - hours_us(2))
    write_log(project, frame, start=NOW - hours_us(0.9), stop=NOW, prefix="tenth", weights=[10.0] * 800)
    monitor = make_monitor(project)
    sampled, whole = monitor.detect_data_drift(window_hours=1), _monitor_at(monitor).detect_data_drift(window_hours=1)
    assert sampled["findings"] == whole["findings"]
    assert monitor.get_monitoring_dashboard_data(1)["total_predictions"] == 8_000


def _monitor_at(monitor: ModelMonitor) -> ModelMonitor:
    return ModelMonitor(MODEL_NAME, root=monitor.root, clock=lambda: NOW - hours_us(2))


def test_a_corrected_outcome_keeps_its_row_weight(project: Path, logged: pd.DataFrame) -> None:
    monitor, package = make_monitor(project), production_package(project)[0]
    monitor.calculate_performance_metrics(window_hours=40)
    other = dict(zip(package.classes, reversed(package.classes), strict=True))
    write_outcomes(project, [(f"p{i}", other[str(logged["truth"].iloc[i])]) for i in range(0, N_ROWS, 4)])
    metrics = monitor.calculate_performance_metrics(window_hours=40)
    known = logged[logged["is_known"]].copy()
    known["truth"] = [other[word] if i % 4 == 0 else word for i, word in zip(known.index, known["truth"], strict=True)]
    exact = accuracy_score(known["truth"], known["predicted"], sample_weight=known["weight"])
    assert metrics["accuracy"] == pytest.approx(exact, abs=1e-9)


def test_rows_of_equal_weight_are_summed_unchanged() -> None:
    tally = RollupCounts(3, 1.5, np.array([1, 2], dtype=np.int64))
    sample = effective_sample([(4.0, tally), (4.0, tally)], RollupCounts(0, 0.0, np.zeros(2, dtype=np.int64)))
    assert (sample.n_rows, sample.counts.tolist()) == (6, [2, 4])


def test_rows_are_thinned_to_equal_weight() -> None:
    rows = [
        store.LoggedRow(i, NOW, "d", "api", 1, "{}", "a", "{}", 0.5, 0, 8.0 if i % 2 else 2.0, None)
        for i in range(4_000)
    ]
    thinned = thin_to_equal_weight(rows, seed=0)
    assert sum(row.weight == 8.0 for row in thinned) == 2_000
    assert sum(row.weight == 2.0 for row in thinned) == pytest.approx(500, abs=60)
