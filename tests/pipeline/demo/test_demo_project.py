"""The demo is a copy: the project gets no prediction, and no receiver and no server hears of it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.demo import create_demo, remove_demo
from pipeline.errors import Conflict, UsageError
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path


def _n_predictions(root: Path) -> int:
    with closing(store.open_state(root)) as state, state.reading() as connection:
        return int(connection.exec_driver_sql("SELECT COUNT(*) FROM predictions").scalar() or 0)


def test_a_demo_has_the_traffic_and_the_project_has_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    folder = create_demo(project, rows_per_hour=2)
    assert (_n_predictions(folder), _n_predictions(project)) == (2 * 66 + 4 * 6, 0)
    config = load_params(folder / paths.PARAMS)
    assert (config.alerts.receivers, config.monitoring.mlflow_runs) == ({}, "none")
    assert config.tracking.uri_env != load_params(project / paths.PARAMS).tracking.uri_env
    with pytest.raises(Conflict, match="the demo exists"):
        create_demo(project)
    remove_demo(project)
    assert not (project / paths.DEMO).exists()
    assert (project / paths.TEST_ROWS).exists()
    assert list((project / paths.PACKAGES).iterdir())


def test_a_database_elsewhere_has_no_demo(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.STATE_URL_ENV, "postgresql://db/mlops")
    with pytest.raises(UsageError, match="MLOPS_STATE_URL is set"):
        create_demo(project)
    assert not (project / paths.DEMO).exists()
