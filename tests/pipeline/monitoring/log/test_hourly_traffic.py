"""Traffic by hour equals pandas with the sampling weights of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.monitoring import PredictionLog, outcomes_by_hour, predictions_by_hour, roll_up
from pipeline.monitoring.log.hourly_traffic import latency_percentile
from pipeline.state import open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def test_hourly_predictions_equal_weighted_pandas(project: Path, logged: pd.DataFrame) -> None:
    package, _ = production_package(project)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    hours = predictions_by_hour(
        PredictionLog(state, MODEL_NAME, lambda _: package), since=NOW - hours_us(30), until=NOW
    )
    state.close()
    by_hour = logged.groupby("hour")["weight"].sum()
    assert [hourly.hour for hourly in hours] == by_hour.index.tolist()
    assert [hourly.n_predictions for hourly in hours] == pytest.approx(by_hour.tolist(), rel=1e-12)
    mean_confidence = (logged["confidence"] * logged["weight"]).groupby(logged["hour"]).sum() / by_hour
    assert [hourly.mean_confidence for hourly in hours] == pytest.approx(mean_confidence.tolist(), rel=1e-9)
    assert latency_percentile(hours, 0.95) == pytest.approx(0.9, rel=0.025)
    assert latency_percentile([], 0.95) is None
    by_class = logged.pivot_table(index="hour", columns="predicted", values="weight", aggfunc="sum", fill_value=0.0)
    for name in package.classes:
        assert [hourly.by_class.get(name, 0.0) for hourly in hours] == pytest.approx(by_class[name].tolist(), rel=1e-12)


def test_hourly_errors_equal_weighted_pandas(project: Path, logged: pd.DataFrame) -> None:
    package, _ = production_package(project)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    bounds: dict[str, Any] = {"since": NOW - hours_us(30), "until": NOW}
    log = PredictionLog(state, MODEL_NAME, lambda _: package)
    hours = outcomes_by_hour(log, digest=package.digest, **bounds)
    assert outcomes_by_hour(log, digest="0" * 64, **bounds) == ()
    state.close()
    known = logged[logged["is_known"]]
    n_known = known.groupby("hour")["weight"].sum()
    n_errors = known["weight"].where(known["predicted"] != known["truth"], 0.0).groupby(known["hour"]).sum()
    assert [hourly.hour for hourly in hours] == n_known.index.tolist()
    assert [hourly.n_outcomes for hourly in hours] == pytest.approx(n_known.tolist(), rel=1e-12)
    assert [hourly.n_errors for hourly in hours] == pytest.approx(n_errors.tolist(), rel=1e-12)


def test_the_dashboard_counts_all_predictions_and_not_only_sampled_rows(project: Path, logged: pd.DataFrame) -> None:
    traffic = make_monitor(project).get_monitoring_dashboard_data(40)
    assert traffic["total_predictions"] == round(logged["weight"].sum())
    assert traffic["n_outcomes"] == round(logged.loc[logged["is_known"], "weight"].sum())
    assert traffic["average_confidence"] == pytest.approx(np.average(logged["confidence"], weights=logged["weight"]))
    by_class = logged.groupby("predicted")["weight"].sum()
    assert traffic["predictions_by_class"] == {name: round(n) for name, n in by_class.items()}
    assert sum(hour["n"] for hour in traffic["predictions_by_hour"]) == pytest.approx(logged["weight"].sum(), abs=40)


def test_hours_of_a_deleted_package_have_no_classes(project: Path) -> None:
    write_log(project, live_rows(40), start=NOW - hours_us(2), stop=NOW, weights=[2.5] * 40)
    state = open_state(project)

    def no_package(_: str) -> None:
        return None

    roll_up(state, MODEL_NAME, no_package)
    hours = predictions_by_hour(PredictionLog(state, MODEL_NAME, no_package), since=NOW - hours_us(2), until=NOW)
    state.close()
    assert (sum(hourly.n_predictions for hourly in hours), [dict(hourly.by_class) for hourly in hours]) == (
        100.0,
        [{}] * len(hours),
    )
