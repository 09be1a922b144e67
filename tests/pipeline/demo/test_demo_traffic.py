"""The traffic ends now, drifts in its last six hours, and most of its outcomes have arrived."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from pipeline import state as store
from pipeline.config.config_loader import load_scenario
from pipeline.demo.demo_traffic import log_demo_traffic
from pipeline.monitoring.log.prediction_record import MonitoredVersion
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.state import HOUR_US
from tests.fixtures.small_packages import parts

if TYPE_CHECKING:
    from pathlib import Path

_NOW = 1_770_000_000_000_000


def test_the_last_hours_drift_and_outcomes_arrive(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / paths.STATE, tmp_path / paths.STATE)
    with closing(store.open_state(tmp_path)) as state:
        with state.reading() as connection:
            deployment = store.current_deployment(connection, "iris_model")
        package = PackageStore(project / paths.PACKAGES).load(deployment.digests["Production"])
        scenario = load_scenario("drift", conf=project / paths.CONF)
        monitored = MonitoredVersion("iris_model", 1, package, deployment.generation)
        n = log_demo_traffic(state, monitored, parts("iris").test, scenario=scenario, rows_per_hour=10, now=_NOW)
        with state.reading() as connection:
            rows = connection.exec_driver_sql("SELECT predicted_at, features FROM predictions").fetchall()
            n_outcomes = connection.exec_driver_sql("SELECT COUNT(*) FROM outcomes").scalar()
    assert n == len(rows) == 66 * 10 + 6 * 20
    assert max(at for at, _ in rows) <= _NOW
    assert min(at for at, _ in rows) >= _NOW - 72 * HOUR_US
    column = next(feature.name for feature in package.schema.features if feature.is_numeric)
    values = [(at > _NOW - 6 * HOUR_US, json.loads(features)[column]) for at, features in rows]
    late, early = ([value for is_late, value in values if is_late is wanted] for wanted in (True, False))
    assert np.mean(late) - np.mean(early) > 0.5 * np.std(early)
    assert 0.6 * n < n_outcomes < 0.8 * n
