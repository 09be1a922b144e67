"""Roll-ups give the metrics of pandas for any window, whatever the order of outcomes and processes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.monitoring.log import rollup_updates
from pipeline.monitoring.log.log_window import PredictionLog, WindowTallies, window_by_time
from pipeline.monitoring.log.rollup_layout import OUTCOMES, PREDICTIONS
from pipeline.monitoring.log.rollup_updates import rebuild_rollups, roll_up
from pipeline.monitoring.performance import performance_report
from pipeline.state import open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    numeric_feature,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.state import State


def tallies_by_source(state: State, package: Package, section: str, since: int, until: int) -> dict[str, list[int]]:
    log = PredictionLog(state, MODEL_NAME, lambda _: package)
    tallies = WindowTallies(log, window_by_time(log, since=since, until=until)).section(section)
    return {source: [tally.n_rows, *tally.counts.tolist()] for (_, source, _), tally in sorted(tallies.items())}


def outcome_batches(
    ids: list[str], truth: np.ndarray[Any, Any], classes: tuple[str, ...]
) -> list[list[tuple[str, str]]]:
    """Return outcomes in batches: 30 % twice, 10 % late, 5 % conflicting, 2 % for unknown predictions."""
    rng = np.random.default_rng(5)
    other = dict(zip(classes, reversed(classes), strict=True))
    order = rng.permutation(len(ids)).tolist()
    n = len(order)
    late, prompt = order[: n // 10], order[n // 10 :]
    first = [(ids[i], truth[i]) for i in prompt]
    twice = [(ids[i], truth[i]) for i in prompt[: n * 3 // 10]]
    conflict = [(ids[i], other[truth[i]]) for i in prompt[-n // 20 :]]
    unknown = [(f"unknown{i}", classes[0]) for i in range(n // 50)]
    return [[*first[::2], *unknown], [*first[1::2], *twice], [*conflict, *((ids[i], truth[i]) for i in late)]]


@pytest.mark.usefixtures("heavy_computation")
@pytest.mark.parametrize("is_from_rows", [True, False])
def test_ten_thousand_outcomes_in_any_order_give_the_metrics_of_pandas(
    project: Path, monkeypatch: pytest.MonkeyPatch, is_from_rows: bool
) -> None:
    monkeypatch.setattr(performance_report, "_MAX_EXACT_ROWS", 20_000 if is_from_rows else 0)
    frame = live_rows(10_000)
    ids = write_log(project, frame, start=NOW - hours_us(20), stop=NOW)
    package, _ = production_package(project)
    target = package.schema.target
    truth = frame[target.column].astype(str).to_numpy()
    monitor = make_monitor(project)
    batches = outcome_batches(ids, truth, target.classes)
    for batch in batches:  # counted in between, as by a monitor that runs every hour
        write_outcomes(project, batch)
        metrics = monitor.calculate_performance_metrics(window_hours=24)
    table = (
        pd.DataFrame([outcome for batch in batches for outcome in batch], columns=["id", "outcome"])
        .groupby("id")
        .last()
    )
    table = table[table.index.isin(ids)]
    rows = frame.set_axis(ids).loc[table.index]
    y, predicted = table["outcome"].to_numpy(), package.predict(rows)
    score = package.predict_proba(rows)[:, target.classes.index(target.positive)]
    is_positive = y == target.positive
    assert (metrics["n_outcomes"], metrics["total_predictions"]) == (len(table), 10_000)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(y, predicted), abs=1e-9)
    assert metrics["f1_score"] == pytest.approx(f1_score(y, predicted, average="weighted"), abs=1e-9)
    tolerance = 1e-9 if is_from_rows else 0.001
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(is_positive, score), abs=tolerance)
    assert metrics["log_loss"] == pytest.approx(log_loss(is_positive, score), abs=tolerance)
    assert metrics["brier"] == pytest.approx(brier_score_loss(is_positive, score), abs=tolerance)
    assert metrics["by_source"]["api"]["metrics"]["accuracy"]["value"] == pytest.approx(metrics["accuracy"])
    part = next(part for part in metrics["slices"] if part["n_outcomes"] < len(table))
    assert 0 <= part["low"] <= part["accuracy"] <= part["high"] <= 1


def test_outcomes_counted_step_by_step_are_those_of_a_rebuild(project: Path) -> None:
    package, _ = production_package(project)
    frame = live_rows(600)
    truth = frame[package.schema.target.column].astype(str).to_numpy()
    state = open_state(project)
    write_outcomes(project, [(f"p{i}", truth[i]) for i in range(0, 600, 3)])  # before their predictions
    roll_up(state, MODEL_NAME, lambda _: package)
    ids = write_log(project, frame, start=NOW - hours_us(50), stop=NOW)
    for batch in outcome_batches(ids, truth, package.classes):
        write_outcomes(project, batch)
        roll_up(state, MODEL_NAME, lambda _: package)
    whole = (NOW - hours_us(60), NOW + hours_us(1))
    before = tallies_by_source(state, package, OUTCOMES, *whole)
    assert rebuild_rollups(state, MODEL_NAME, lambda _: package) == 600
    assert (before["api"][0], tallies_by_source(state, package, OUTCOMES, *whole)) == (600, before)
    state.close()


def test_parts_read_ahead_by_two_at_once_are_each_counted_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, _ = production_package(project)
    frame = live_rows(600)
    ids = write_log(project, frame, start=NOW - hours_us(50), stop=NOW)
    truth = frame[package.schema.target.column].astype(str).tolist()
    write_outcomes(project, list(zip(ids[::2], truth[::2], strict=True)))
    monkeypatch.setattr(rollup_updates, "_BATCH_ROWS", 40)
    states = [open_state(project), open_state(project)]
    with ThreadPoolExecutor(2) as both:
        n_rows = list(both.map(lambda state: roll_up(state, MODEL_NAME, lambda _: package), states))
    whole = (NOW - hours_us(60), NOW + hours_us(1))
    tallies = [tallies_by_source(states[0], package, section, *whole) for section in (PREDICTIONS, OUTCOMES)]
    monkeypatch.setattr(rollup_updates, "_BATCH_ROWS", 1_000)
    assert rebuild_rollups(states[0], MODEL_NAME, lambda _: package) == sum(n_rows) == tallies[0]["api"][0] == 600
    assert tallies == [tallies_by_source(states[0], package, section, *whole) for section in (PREDICTIONS, OUTCOMES)]
    for state in states:
        state.close()


def test_a_kill_while_outcomes_are_counted_counts_none_of_them_twice(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = production_package(project)
    frame = live_rows(200)
    truth = frame[package.schema.target.column].astype(str).to_numpy()
    ids = write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    write_outcomes(project, list(zip(ids, truth.tolist(), strict=True)))
    add = store.add_rollups

    def killed(*given: Any, **named: Any) -> None:
        add(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store, "add_rollups", killed)
        with pytest.raises(KeyboardInterrupt):
            roll_up(state, MODEL_NAME, lambda _: package)
    roll_up(state, MODEL_NAME, lambda _: package)
    assert tallies_by_source(state, package, OUTCOMES, NOW - hours_us(6), NOW + 1)["api"][0] == 200
    state.close()


def test_latency_and_variants_are_counted_as_pandas_counts_them(project: Path) -> None:
    package, version = production_package(project)
    rng = np.random.default_rng(0)
    latency = np.exp(rng.normal(7, 1, 500)).astype(int) + 1
    rows = [
        store.PredictionRow(
            prediction_id=f"v{i}",
            predicted_at=NOW - hours_us(3) + i,
            model=MODEL_NAME,
            version=version,
            digest=package.digest,
            generation=1,
            features="{}",
            prediction=package.classes[0],
            probabilities=json.dumps({package.classes[0]: 0.7, package.classes[1]: 0.3}),
            confidence=0.7,
            served_by="production",
            variant="champion",
            source="api" if i % 4 else "file",
            latency_us=int(latency[i]),
            weight=1.0,
            idempotency_key=None,
            subject=None,
        )
        for i in range(500)
    ]
    state = open_state(project)
    writer = store.PredictionWriter(state)
    writer.write(rows)
    writer.close()
    roll_up(state, MODEL_NAME, lambda _: package)
    tallies = tallies_by_source(state, package, PREDICTIONS, NOW - hours_us(4), NOW)
    assert {source: tally[0] for source, tally in tallies.items()} == {"file": 125, "api": 375}
    traffic = make_monitor(project).get_monitoring_dashboard_data(4)
    assert traffic["predictions_by_source"] == {"file": 125, "api": 375}
    for percent in (50, 95, 99):
        exact = np.percentile(latency, percent, method="inverted_cdf") / 1000
        assert traffic["latency_ms"][str(percent)] == pytest.approx(exact, rel=0.025)
    state.close()


def test_metrics_are_provisional_until_the_label_delay_has_passed(project: Path) -> None:
    frame = live_rows(60)
    ids = write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    monitor = make_monitor(project)
    config = load_params(project / "params.yaml")

    def is_provisional(delay: float) -> bool:
        declared = config.monitoring.model_copy(update={"label_delay_hours": delay})
        delayed = replace(monitor, config=config.model_copy(update={"monitoring": declared}))
        return bool(delayed.calculate_performance_metrics()["provisional"])

    without_outcomes = [is_provisional(24.0), is_provisional(0.0)]
    truth = frame[production_package(project)[0].schema.target.column].astype(str).tolist()
    write_outcomes(project, list(zip(ids, truth, strict=True)))
    assert [*without_outcomes, is_provisional(24.0)] == [True, False, False]


def test_an_earlier_window_can_be_the_baseline(project: Path) -> None:
    frame = live_rows(800)
    number = numeric_feature(production_package(project)[0])
    frame[number] = frame[number].max()
    write_log(project, frame, start=NOW - hours_us(4), stop=NOW)
    monitor = make_monitor(project)
    by_baseline = {
        baseline: monitor.detect_data_drift(window_hours=2, baseline=baseline)
        for baseline in ("training", "previous_window")
    }
    assert number in by_baseline["training"]["drifted_features"]
    assert by_baseline["previous_window"]["drifted_features"] == []


def test_the_baseline_is_chosen_by_override(project: Path) -> None:
    frame = live_rows(800)
    number = numeric_feature(production_package(project)[0])
    frame[number] = frame[number].max()
    write_log(project, frame, start=NOW - hours_us(4), stop=NOW)
    monitor = make_monitor(project)
    declared = monitor.resolved_config.monitoring.model_copy(update={"baseline": "previous_window"})
    relative = replace(monitor, config=monitor.resolved_config.model_copy(update={"monitoring": declared}))
    drifted = [each.generate_monitoring_report(2)["drift"]["drifted_features"] for each in (monitor, relative)]
    assert (number in drifted[0], drifted[1]) == (True, [])


def test_a_rebuild_keeps_the_hours_that_have_left_the_log(project: Path) -> None:
    package, _ = production_package(project)
    day = NOW - NOW % store.DAY_US - store.DAY_US
    write_log(project, live_rows(480), start=day, stop=day + store.DAY_US)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    whole = (day, day + store.DAY_US)
    before = tallies_by_source(state, package, PREDICTIONS, *whole)
    with state.writing() as connection:
        assert store.remove_predictions(connection, before=day + hours_us(7), limit=1_000) == 140
    assert rebuild_rollups(state, MODEL_NAME, lambda _: package) == 340
    assert (before["api"][0], tallies_by_source(state, package, PREDICTIONS, *whole)) == (480, before)
    early = tallies_by_source(state, package, PREDICTIONS, day, day + hours_us(7))
    assert early["api"][0] == 140
    state.close()


def test_rows_of_a_deleted_package_are_still_reported(project: Path) -> None:
    write_log(project, live_rows(30), start=NOW - hours_us(2), stop=NOW)
    package, _ = production_package(project)
    state = open_state(project)
    assert roll_up(state, MODEL_NAME, lambda _: None) == 30
    log = PredictionLog(state, MODEL_NAME, lambda _: None)
    uncounted = WindowTallies(log, window_by_time(log, since=NOW - hours_us(3), until=NOW)).section("uncounted")
    assert [tally.n_rows for tally in uncounted.values()] == [30]
    assert rebuild_rollups(state, MODEL_NAME, lambda _: package) == 30
    assert tallies_by_source(state, package, PREDICTIONS, NOW - hours_us(3), NOW)["api"][0] == 30
    state.close()
