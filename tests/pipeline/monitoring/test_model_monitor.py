"""The monitor gives the results of pandas for the logged rows, whatever their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

import pipeline
from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.errors import ConfigError, DataError, UsageError
from pipeline.monitoring import ModelMonitor, count_frame
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.log_window import PredictionLog, WindowTallies, window_by_time
from pipeline.monitoring.log.rollup_layout import PREDICTIONS
from pipeline.monitoring.log.rollup_updates import rebuild_rollups, roll_up
from pipeline.state import open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    numeric_feature,
    plain_counts,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.monitoring import BinCounts
    from pipeline.package import Package


def window_bin_counts(state: store.State, model: str, package: Package, *, since: int, until: int) -> BinCounts:
    log = PredictionLog(state, model, lambda digest: package if digest == package.digest else None)
    return WindowTallies(log, window_by_time(log, since=since, until=until)).bin_counts(package)


def test_the_monitor_is_a_public_class() -> None:
    assert pipeline.ModelMonitor is ModelMonitor


@pytest.mark.parametrize("window", [(0.0, 6.0), (0.5, 5.25), (2.1, 2.9), (1.0, 1.0)])
def test_counts_of_any_window_are_those_of_its_raw_rows(project: Path, window: tuple[float, float]) -> None:
    frame = live_rows(1_200)
    start = NOW - NOW % hours_us(1)
    write_log(project, frame, start=start, stop=start + hours_us(6))
    package, _ = production_package(project)
    state = open_state(project)
    assert roll_up(state, MODEL_NAME, lambda _: package) == 1_200
    since, until = (start + hours_us(bound) for bound in window)
    counts = window_bin_counts(state, MODEL_NAME, package, since=since, until=until)
    state.close()
    moments = np.linspace(start, start + hours_us(6), 1_200, endpoint=False).astype(np.int64)
    part = frame[(moments >= since) & (moments < until)].reset_index(drop=True)
    probabilities = package.predict_proba(part)
    positive = package.classes.index(package.schema.target.positive)
    expected = count_frame(
        loggable_reference(package),
        part,
        n_rows=len(part),
        score=probabilities[:, positive],
        confidence=probabilities.max(axis=1),
        predicted=package.predict(part),
    )
    assert counts.n_rows == len(part)
    assert plain_counts(counts) == plain_counts(expected)


def test_rows_are_counted_once_also_when_they_come_late_and_after_a_rebuild(project: Path) -> None:
    start = NOW - NOW % hours_us(1) - hours_us(3)
    package, _ = production_package(project)
    state = open_state(project)
    write_log(project, live_rows(300, 1), start=start, stop=start + hours_us(3), prefix="a")
    rolled = [roll_up(state, MODEL_NAME, lambda _: package), roll_up(state, MODEL_NAME, lambda _: package)]
    write_log(project, live_rows(200, 2), start=start - hours_us(2), stop=start + hours_us(1), prefix="late")
    rolled.append(roll_up(state, MODEL_NAME, lambda _: package))
    whole = {"since": start - hours_us(2), "until": start + hours_us(3)}
    before = window_bin_counts(state, MODEL_NAME, package, **whole)
    assert (rolled, before.n_rows) == ([300, 0, 200], 500)
    assert rebuild_rollups(state, MODEL_NAME, lambda _: package) == 500
    assert plain_counts(window_bin_counts(state, MODEL_NAME, package, **whole)) == plain_counts(before)
    state.close()


def test_a_kill_between_tally_and_commit_counts_nothing_twice(project: Path) -> None:
    write_log(project, live_rows(100), start=NOW - hours_us(2), stop=NOW)
    package, _ = production_package(project)
    state = open_state(project)
    with pytest.raises(KeyboardInterrupt), state.writing() as connection:
        tally = store.RollupCounts(100, 0.0, np.ones(5, dtype=np.int64))
        key = store.RollupKey(PREDICTIONS, package.digest, "api", 0)
        store.add_rollups(
            connection, MODEL_NAME, {key: tally}, after=store.RollupProgress(0, 0), until=store.RollupProgress(100, 0)
        )
        raise KeyboardInterrupt
    assert roll_up(state, MODEL_NAME, lambda _: package) == 100
    counts = window_bin_counts(state, MODEL_NAME, package, since=0, until=NOW + hours_us(1))
    assert counts.n_rows == 100
    state.close()


def test_two_processes_that_roll_up_at_once_count_each_row_once(project: Path) -> None:
    write_log(project, live_rows(100), start=NOW - hours_us(2), stop=NOW)
    package, _ = production_package(project)
    state, other = open_state(project), open_state(project)

    def packages(_digest: str) -> Package:  # the other roll-up finishes while this one counts
        roll_up(other, MODEL_NAME, lambda _: package)
        return package

    assert roll_up(state, MODEL_NAME, packages) == 0
    assert window_bin_counts(state, MODEL_NAME, package, since=0, until=NOW + hours_us(1)).n_rows == 100
    state.close()
    other.close()


def test_shifted_live_rows_drift_and_others_do_not(project: Path) -> None:
    monitor = make_monitor(project)
    frame = live_rows(1_500)
    write_log(project, frame, start=NOW - hours_us(20), stop=NOW)
    stable = monitor.detect_data_drift()
    number = numeric_feature(production_package(project)[0])
    shifted = frame.copy()
    shifted[number] = shifted[number].max()
    write_log(project, shifted, start=NOW - hours_us(1), stop=NOW, prefix="shifted")
    drifted = monitor.detect_data_drift(window_hours=0.9)
    assert (stable["drift_detected"], stable["verdict"] in ("stable", "watch"), stable["n_rows"]) == (
        False,
        True,
        1_500,
    )
    assert number in drifted["drifted_features"]
    assert drifted["findings"][0]["summary"]


def test_drift_in_a_single_window_gives_watch_when_two_are_required(project: Path) -> None:
    frame = live_rows(600)
    number = numeric_feature(production_package(project)[0])
    frame[number] = frame[number].max()
    write_log(project, frame, start=NOW - hours_us(2), stop=NOW)
    monitor = make_monitor(project)
    config = load_params(project / "params.yaml")
    drift = config.drift.model_copy(update={"consecutive_windows": 2})
    monitor = replace(monitor, config=config.model_copy(update={"drift": drift}))
    assert monitor.detect_data_drift(window_hours=4)["verdict"] == "watch"
    assert number in monitor.detect_data_drift(window_hours=1)["drifted_features"]


def test_metrics_equal_pandas_for_any_order_of_outcomes(project: Path) -> None:
    """With duplicates, revisions, late outcomes, and outcomes of unknown predictions."""
    frame = live_rows(2_000)
    ids = write_log(project, frame, start=NOW - hours_us(20), stop=NOW)
    package, _ = production_package(project)
    target = package.schema.target
    truth = frame[target.column].astype(str).to_numpy()
    other = {target.classes[0]: target.classes[1], target.classes[1]: target.classes[0]}
    rng = np.random.default_rng(3)
    known = rng.permutation(2_000)[:1_500]
    first = [(ids[i], other[truth[i]] if rng.random() < 0.05 else truth[i]) for i in known]
    again = [(ids[i], truth[i]) for i in known[:450]]
    unknown = [(f"unknown{i}", target.classes[0]) for i in range(40)]
    write_outcomes(project, [*first, *unknown])
    write_outcomes(project, again)
    table = pd.DataFrame([*first, *again], columns=["id", "outcome"]).groupby("id").last()
    predicted = pd.Series(package.predict(frame), index=ids).loc[table.index]
    metrics = make_monitor(project).calculate_performance_metrics(window_hours=24)
    assert (metrics["total_predictions"], metrics["n_outcomes"], metrics["coverage"]) == (2_000, 1_500, 0.75)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(table["outcome"], predicted), abs=1e-9)
    assert metrics["f1_score"] == pytest.approx(f1_score(table["outcome"], predicted, average="weighted"), abs=1e-9)
    assert metrics["intervals"]["accuracy"][0] < metrics["accuracy"] < metrics["intervals"]["accuracy"][1]
    assert metrics["estimated"]["accuracy"]["value"] == pytest.approx(
        package.predict_proba(frame).max(axis=1).mean(), abs=1e-6
    )


def test_an_outcome_that_comes_before_its_prediction_is_joined_later(project: Path) -> None:
    monitor = make_monitor(project)
    frame = live_rows(5)
    truth = frame[production_package(project)[0].schema.target.column].astype(str).tolist()
    write_outcomes(project, [(f"p{i}", word) for i, word in enumerate(truth)])
    assert monitor.calculate_performance_metrics()["n_outcomes"] == 0
    write_log(project, frame, start=NOW - hours_us(1), stop=NOW)
    assert monitor.calculate_performance_metrics()["n_outcomes"] == 5


def test_an_outcome_of_unknown_class_is_refused_and_not_stored(project: Path) -> None:
    monitor = make_monitor(project)
    package, _ = production_package(project)
    prediction_id = monitor.log_prediction(package.classes[0], {}, 0.9)
    with pytest.raises(
        DataError, match=f"actual: 'other' is not a class; expected one of {', '.join(package.classes)}"
    ):
        monitor.log_outcome(prediction_id, "other")
    assert monitor.get_monitoring_dashboard_data(hours=1)["n_outcomes"] == 0


def test_a_model_without_production_version_gets_a_usage_error(project: Path) -> None:
    monitor = replace(make_monitor(project), model_name="another")
    with pytest.raises(UsageError, match="no version is in Production"):
        monitor.detect_data_drift()


@pytest.mark.parametrize("length", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_window_of_invalid_length_is_refused(length: float, project: Path) -> None:
    with pytest.raises(UsageError, match=r"window: .* hours is out of range; expected more than 0, at most 1,000,000"):
        make_monitor(project).generate_monitoring_report(length)


def test_a_rebuild_of_an_unknown_model_is_refused_and_one_without_rows_keeps_the_past(project: Path) -> None:
    monitor = make_monitor(project)
    write_log(project, live_rows(20), start=NOW - hours_us(5), stop=NOW)
    assert monitor.rebuild() == 20
    state = open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql("DELETE FROM predictions")
    state.close()
    assert (monitor.rebuild(), monitor.get_monitoring_dashboard_data(48)["total_predictions"]) == (0, 20)
    with pytest.raises(UsageError, match="another: no such model is registered"):
        ModelMonitor("another", root=project, config=monitor.resolved_config).rebuild()


def test_degradation_reports_its_baseline(project: Path) -> None:
    frame = live_rows(1_000)
    ids = write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    target = production_package(project)[0].schema.target
    truth = frame[target.column].astype(str).tolist()
    other = {target.classes[0]: target.classes[1], target.classes[1]: target.classes[0]}
    monitor = make_monitor(project)
    assert monitor.detect_performance_degradation({"accuracy": 0.85})["findings"][0]["verdict"] == "not_enough_data"
    write_outcomes(project, list(zip(ids, truth, strict=True)))
    fine = monitor.detect_performance_degradation({"accuracy": 0.85, "f1_score": 0.83}, degradation_threshold=0.05)
    write_outcomes(
        project, [(prediction_id, other[label]) for prediction_id, label in zip(ids[:400], truth[:400], strict=True)]
    )
    worse = monitor.detect_performance_degradation({"accuracy": 0.85}, degradation_threshold=0.05)
    assert (fine["degradation_detected"], worse["degraded_metrics"]) == (False, ["accuracy"])
    assert monitor.calculate_performance_metrics()["estimates_agree"]["accuracy"] is False


def test_a_report_holds_everything_about_a_window(project: Path) -> None:
    write_log(project, live_rows(300), start=NOW - hours_us(5), stop=NOW)
    report = make_monitor(project).generate_monitoring_report()
    assert (report["model"], report["dashboard"]["total_predictions"], report["drift"]["n_rows"]) == (
        MODEL_NAME,
        300,
        300,
    )
    assert report["performance"]["estimated"]["accuracy"]["value"] > 0.8
    assert {finding["metric"] for finding in report["degradation"]["findings"]} >= {"accuracy", "log_loss"}
    assert report["drift"]["window"]["until"] == "2026-02-02T02:40:00Z"


@pytest.mark.parametrize("window", [{"window_hours": 7.3}, {"window_rows": 400}])
def test_only_the_declared_sources_are_counted(project: Path, window: dict[str, float]) -> None:
    """Rows of the app drift far away; whole hours come from roll-ups, the ends of the window from rows."""
    frame = live_rows(600)
    column = numeric_feature(production_package(project)[0])
    shifted = frame.assign(**{column: frame[column].max()})
    ids = write_log(project, frame, start=NOW - hours_us(8), stop=NOW)
    app_ids = write_log(
        project, shifted, start=NOW - hours_us(8), stop=NOW, prefix="a", source="app", latencies_us=[10**6] * 600
    )
    write_outcomes(project, [(prediction_id, "Introvert") for prediction_id in [*ids, *app_ids]])
    reports = {}
    for sources in (("api", "file"), ("app",), ("api", "app")):
        config = make_monitor(project).resolved_config
        config = config.model_copy(update={"monitoring": config.monitoring.model_copy(update={"sources": sources})})
        monitor = replace(make_monitor(project), config=config)
        with monitor.open_window(window.get("window_hours", 24), window_rows=window.get("window_rows")) as view:
            reports[sources] = view.report()
    api, app, both = (reports[sources]["dashboard"] for sources in reports)
    assert (set(api["predictions_by_source"]), set(app["predictions_by_source"])) == ({"api"}, {"app"})
    assert set(both["predictions_by_source"]) == {"api", "app"}
    assert sum(hour["n"] for hour in api["predictions_by_hour"]) == api["total_predictions"] == api["n_outcomes"]
    assert (api["latency_ms"]["95"] < 1, app["latency_ms"]["95"] > 900) == (True, True)
    drifted = [column in reports[sources]["drift"]["drifted_features"] for sources in (("api", "file"), ("app",))]
    assert drifted == [False, True]


def test_an_unknown_source_is_refused_where_settings_are_read(project: Path) -> None:
    make_monitor(project)
    params = project / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("  - library\n", "  - telepathy\n"))
    with pytest.raises(ConfigError, match=r"monitoring.sources.*'api', 'app', 'file', 'library' or 'stream'"):
        load_params(params)
