"""The reloader loads a deployed version once, keeps the current model on a failure, and falls back in a fixed order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from pipeline import state as store
from pipeline.errors import DependencyUnavailable, IntegrityError
from pipeline.package import PackageStore
from pipeline.serving.reloader import ModelReloader
from pipeline.state import open_state
from tests.fixtures.registered_project import NAME, engine_settings, event_kinds, package_folder, promote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State


@pytest.fixture
def state(project: Path) -> Iterator[State]:
    """The state database of the project."""
    opened = open_state(project)
    yield opened
    opened.close()


def make_reloader(project: Path, state: State, *, verify: Any = None, **settings: Any) -> ModelReloader:
    packages = PackageStore(project / "state/packages")
    return ModelReloader(state, packages, NAME, "Production", engine_settings(**settings), b"key", verify)


def refuse_version_2(model: LoadedModel) -> None:
    if model.version == 2:
        raise IntegrityError("version 2 fails its verification")


def remove_model_files(folder: Path) -> None:
    for name in ("model.onnx", "model.skops", "encoder.json"):
        (folder / name).unlink()


def test_the_deployed_version_is_loaded_once(project: Path, state: State) -> None:
    reloader = make_reloader(project, state)
    first = reloader.poll(None)
    second = reloader.poll(first.loaded_model)
    assert first.loaded_model is not None
    assert (first.loaded_model.version, first.reason) == (1, "")
    assert second.loaded_model is first.loaded_model
    assert event_kinds(state) == ["activated"]


def test_a_change_of_another_stage_keeps_the_package_and_the_scorer(project: Path, state: State) -> None:
    reloader = make_reloader(project, state)
    before = reloader.poll(None).loaded_model
    promote(project, 2, "Staging")
    after = reloader.poll(before).loaded_model
    assert before is not None
    assert after is not None
    assert (after.package, after.scorer, after.generation) == (before.package, before.scorer, before.generation + 1)
    assert json.loads(f"{{{after.response_suffix}}}")["generation"] == after.generation


def test_without_a_version_in_the_stage_there_is_no_model(project: Path, state: State) -> None:
    reloader = make_reloader(project, state)
    current = reloader.poll(None).loaded_model
    promote(project, 1, "Archived")
    result = reloader.poll(current)
    assert result.loaded_model is None
    assert (
        result.detail == f"no version of {NAME} is in Production; promote one: `mlops promote VERSION --model {NAME}`"
    )
    assert event_kinds(state) == ["activated", "stopped"]


def test_a_version_that_fails_its_verification_leaves_the_current_model(project: Path, state: State) -> None:
    reloader = make_reloader(project, state, verify=refuse_version_2)
    current = reloader.poll(None).loaded_model
    promote(project, 2)
    results = [reloader.poll(current), reloader.poll(current), reloader.poll(current, is_forced=True)]
    assert {result.detail for result in results} == {"version 2 fails its verification"}
    assert all(result.loaded_model is current for result in results)
    assert event_kinds(state) == ["activated", "refused"]


def test_an_unexpected_error_of_the_verification_names_the_package(project: Path, state: State) -> None:
    def fail(_model: LoadedModel) -> None:
        raise ZeroDivisionError("division by zero")

    result = make_reloader(project, state, verify=fail, fallback_to_last_good=False).poll(None)
    assert result.loaded_model is None
    assert result.detail == f"{package_folder(project, 1)}: cannot be loaded (division by zero)"


def test_a_failed_load_is_tried_again_after_the_pause_or_when_forced(
    project: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []

    def fail(model: LoadedModel) -> None:
        loads.append(model.version)
        raise IntegrityError("not yet")

    reloader = make_reloader(project, state, verify=fail, fallback_to_last_good=False)
    for _ in range(3):
        reloader.poll(None)
    assert loads == [1]
    reloader.poll(None, is_forced=True)
    assert loads == [1, 1]
    monkeypatch.setattr("pipeline.serving.reloader._RETRY_S", 0.0)
    reloader.poll(None)
    assert loads == [1, 1, 1]


@pytest.mark.parametrize(
    ("last_good", "rule", "expected"),
    [
        (True, True, ("last_good", 1)),
        (True, False, ("last_good", 1)),
        (False, True, ("rule", 2)),
        (False, False, None),
    ],
)
def test_a_start_falls_back_in_the_declared_order(
    project: Path, state: State, last_good: bool, rule: bool, expected: tuple[str, int] | None
) -> None:
    make_reloader(project, state).poll(None)
    promote(project, 2)
    remove_model_files(package_folder(project, 2))
    settings = {"fallback_to_last_good": last_good, "fallback_to_rule": rule}
    result = make_reloader(project, state, **settings).poll(None)
    model = result.loaded_model
    assert (None if model is None else (model.served_by, model.version)) == expected
    assert "model.onnx" in result.detail or "encoder.json" in result.detail
    assert event_kinds(state) == ["activated", "refused", *(["fell_back"] if expected else [])]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deployments SET version = 2, digest = (SELECT digest FROM versions WHERE version = 2), generation = 2",
        "UPDATE deployments SET digest = (SELECT digest FROM versions WHERE version = 2)",
        "UPDATE deployments SET stage = 'Staging'",
        "DELETE FROM deployments",
        "UPDATE models SET generation = generation + 1",
    ],
)
def test_a_deployment_that_was_changed_by_hand_leaves_the_current_model(
    project: Path, state: State, statement: str
) -> None:
    reloader = make_reloader(project, state)
    current = reloader.poll(None).loaded_model
    with state.writing() as connection:
        connection.exec_driver_sql(statement)
    result = reloader.poll(current)
    assert result.loaded_model is current
    assert "does not follow from the audit trail" in result.detail
    assert reloader.poll(None).loaded_model is None


def test_a_fallback_is_a_version_that_was_deployed_by_a_decision(project: Path, state: State) -> None:
    reloader = make_reloader(project, state, fallback_to_last_good=True)
    digests = [version.digest for version in store.read_versions(state.engine.connect(), NAME)]
    event = store.ServingEvent(state.clock(), NAME, "activated", 2, digests[1], 1, "version 2 is active")
    with state.writing() as connection:
        store.add_serving_event(connection, event)
    remove_model_files(package_folder(project, 1))
    assert reloader.poll(None).loaded_model is None


def test_a_database_that_fails_between_two_reads_does_not_refuse_the_version(project: Path, state: State) -> None:
    reloader = make_reloader(project, state)
    current = reloader.poll(None).loaded_model
    promote(project, 2)

    def fail_at_the_trail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM audit" in statement:
            raise OperationalError(statement, None, OSError("disk I/O error"))

    event.listen(state.engine, "before_cursor_execute", fail_at_the_trail)
    for each in (current, None):
        with pytest.raises(DependencyUnavailable):
            reloader.poll(each)
    event.remove(state.engine, "before_cursor_execute", fail_at_the_trail)
    assert event_kinds(state) == ["activated"]
    after = reloader.poll(current).loaded_model
    assert after is not None
    assert (after.version, after.served_by) == (2, "production")
