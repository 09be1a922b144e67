"""Facts are read from an existing database; a missing one is not created."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.config.config_loader import build_config
from pipeline.production_status import inspect_project_state, monitor_period_us
from pipeline.project import paths
from tests.fixtures.composed_config import composed
from tests.pipeline.production_status.status_scenarios import incident

if TYPE_CHECKING:
    from pathlib import Path

_DIGEST = "a" * 64
_GATES = {"gates": {"verdict": "promote", "gates": []}}


def _add_package(root: Path) -> None:
    (root / paths.PACKAGES / _DIGEST).mkdir(parents=True)


def test_a_project_without_database_and_packages_is_new_and_stays_without(tmp_path: Path) -> None:
    facts = inspect_project_state(tmp_path, "m")
    assert (facts.condition, facts.model is not None and facts.model.n_versions) == ("new", 0)
    assert not (tmp_path / paths.STATE).exists()


@pytest.mark.parametrize("n_bytes", [None, 0])
def test_a_project_with_packages_and_no_database_has_lost_it(n_bytes: int | None, tmp_path: Path) -> None:
    _add_package(tmp_path)
    if n_bytes is not None:
        (tmp_path / paths.STATE_DATABASE).touch()
    facts = inspect_project_state(tmp_path, "m")
    assert (facts.condition, facts.model) == ("missing", None)
    assert "1 registered package exists" in facts.detail


def test_a_database_at_an_address_that_has_no_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.STATE_URL_ENV, f"sqlite:///{tmp_path / 'elsewhere.db'}")
    assert inspect_project_state(tmp_path, "m").condition == "missing"
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_database_without_versions_beside_packages_is_not_a_new_one(tmp_path: Path) -> None:
    store.open_state(tmp_path).close()
    assert inspect_project_state(tmp_path, "m").condition == "ok"
    _add_package(tmp_path)
    assert inspect_project_state(tmp_path, "m").condition == "without_versions"


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_another_schema_version_is_named(revision: str, tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    with state.writing() as connection:
        connection.exec_driver_sql(f"UPDATE mlops_schema SET version_num = '{revision}'")
    state.close()
    facts = inspect_project_state(tmp_path, "m")
    assert (facts.condition, f"schema version is {revision}" in facts.detail) == ("other_schema", True)


def test_a_read_only_database_is_unavailable(tmp_path: Path) -> None:
    store.open_state(tmp_path).close()
    (tmp_path / paths.STATE_DATABASE).chmod(0o444)
    facts = inspect_project_state(tmp_path, "m")
    assert (facts.condition, "read-only" in facts.detail) == ("unavailable", True)


def _prepare(root: Path) -> store.State:
    state = store.open_state(root)
    with state.writing() as connection:
        for digest in ("a", "b"):
            store.add_version(connection, "m", digest * 64, at=1, semver="1.0.0", description="", tags=_GATES)
    return state


def test_the_facts_of_a_model_are_complete(tmp_path: Path) -> None:
    state = _prepare(tmp_path)
    at = state.clock()
    server: dict[str, Any] = {"n_responses": 1.0, "n_errors": 0.0}
    run = store.MonitorRun("m", 1, at, at - 1, at, "stable", None, {"server": server})
    with state.writing() as connection:
        store.add_monitor_run(connection, run)
        store.add_incident(connection, incident())
        store.add_incident(connection, replace(incident(), status="resolved"))
        store.add_incident(connection, replace(incident(), model="other"))
    state.close()
    known = inspect_project_state(tmp_path, "m").model
    assert known is not None
    assert (known.n_versions, known.production, known.override) == (2, None, None)
    assert (known.monitor_run is not None and known.monitor_run.recorded_at, known.api_seen_at) == (at, at)
    assert [opened.model for opened in known.incidents] == ["m"]
    assert known.last_prediction_at is None


@pytest.mark.parametrize(("minutes", "hours", "expected_minutes"), [(5.0, 24, 5), (0.0, 24, 1440), (0.0, 6, 360)])
def test_the_period_of_the_monitor_is_its_interval_or_its_window(
    minutes: float, hours: int, expected_minutes: int
) -> None:
    monitoring = build_config(composed().values, where="conf/").monitoring
    changed = monitoring.model_copy(update={"interval_minutes": minutes, "window_hours": hours})
    assert monitor_period_us(changed) == expected_minutes * 60_000_000
