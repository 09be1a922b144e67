"""Leftovers of a kill are found, repaired on request, and never taken from a live process."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline import files
from pipeline.config.composition import compose
from pipeline.files import exclusive_lock
from pipeline.maintenance.doctor import run_diagnostics
from pipeline.project import paths
from pipeline.registry import ModelRegistry
from pipeline.tracking.run_store import RunStore
from tests.fixtures.small_packages import write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.maintenance.diagnosis import Diagnosis

pytestmark = pytest.mark.usefixtures("heavy_computation")


def by_check(root: Path, *, repair: bool) -> dict[str, Diagnosis]:
    return {diagnosis.check: diagnosis for diagnosis in run_diagnostics(root, repair=repair)}


def test_only_unfinished_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / "models/.candidate.abc.tmp").mkdir(parents=True)
    (tmp_path / "models/candidate").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/.raw.parquet.xyz.tmp").touch()
    assert by_check(tmp_path, repair=True)["leftovers"].state == "repaired"
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("[!.]*") if ".dvc" not in path.parts)
    assert left == ["data", "models", "models/candidate"]


def test_a_folder_without_a_commit_is_a_problem(tmp_path: Path) -> None:
    assert by_check(tmp_path, repair=True)["git"].state == "problem"


def test_the_unfinished_file_of_a_stage_at_work_is_left_alone(tmp_path: Path) -> None:
    unfinished = tmp_path / "data" / ".raw.parquet.x1.tmp"
    unfinished.parent.mkdir()
    unfinished.touch()
    with exclusive_lock(tmp_path / paths.PROJECT_LOCK, operation="ingest"):
        assert by_check(tmp_path, repair=True)["leftovers"].state == "ok"
    assert unfinished.exists()


def test_a_project_that_registered_nothing_gets_no_database(tmp_path: Path) -> None:
    diagnoses = by_check(tmp_path, repair=True)
    assert {diagnoses[name].detail for name in ("audit trail", "mlflow aliases")} == {"no version is registered yet"}
    assert not (tmp_path / "state").exists()


@pytest.fixture
def registered(tmp_path: Path) -> ModelRegistry:
    """A project with one version in Production."""
    files.write_text(tmp_path / paths.PARAMS, compose((), conf=ROOT / "conf").text)
    write_small_package(tmp_path / "package", "personality", "model=logistic_regression", n_rows=400)
    registry = ModelRegistry(tmp_path)
    registry.register_model(tmp_path / "package", "m")
    registry.promote_model("m", 1, "Production", force=True, reason="a test")
    return registry


def test_a_changed_alias_is_reported_then_set_back(registered: ModelRegistry, tmp_path: Path) -> None:
    assert by_check(tmp_path, repair=False)["mlflow aliases"].state == "ok"
    RunStore(tmp_path).client().delete_registered_model_alias("m", "production")
    named = by_check(tmp_path, repair=False)["mlflow aliases"]
    assert (named.state, "m@production" in named.detail) == ("problem", True)
    assert by_check(tmp_path, repair=True)["mlflow aliases"].state == "repaired"
    assert by_check(tmp_path, repair=False)["mlflow aliases"].detail == "equal to the deployments"
    assert registered.history("m")[-1].action == "alias put back"


def test_a_changed_audit_trail_is_a_problem(registered: ModelRegistry, tmp_path: Path) -> None:
    assert by_check(tmp_path, repair=True)["audit trail"].state == "ok"
    with closing(sqlite3.connect(tmp_path / "state/state.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER audit_delete")
        connection.execute("DELETE FROM audit WHERE seq = 1")
    diagnosis = by_check(tmp_path, repair=True)["audit trail"]
    assert (diagnosis.state, "entry 1: entries 1 to 1 are missing" in diagnosis.detail) == ("problem", True)


def test_a_deployment_that_was_changed_by_hand_is_restored(registered: ModelRegistry, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state/state.db", isolation_level=None)) as connection:
        connection.execute("UPDATE models SET generation = 0")
        connection.execute("UPDATE versions SET stage = 'Archived'")
    assert by_check(tmp_path, repair=False)["audit trail"].state == "problem"
    assert by_check(tmp_path, repair=True)["audit trail"].state == "repaired"
    assert registered.verify_history().is_intact
    assert registered.history()[-1].action == "restore deployment"


def test_without_mlflow_the_aliases_are_not_compared_and_nothing_stops(
    registered: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    diagnosis = by_check(tmp_path, repair=True)["mlflow aliases"]
    assert (diagnosis.state, "not compared" in diagnosis.detail) == ("unknown", True)
