"""Packages to register, and a registry in a folder of its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.gates import Gate, GateReport
from pipeline.registry import ModelRegistry
from pipeline.state import open_state
from pipeline.tracking.run_store import RunStore
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.project_databases import ProjectDatabases

MODELS = {
    "first": ("model=logistic_regression",),
    "second": ("model=logistic_regression", "model.estimator.C=0.5"),
    "third": ("model=naive_bayes",),
}


@pytest.fixture(scope="session")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of three packages: two of one kind of model and one of another."""
    folder = tmp_path_factory.mktemp("packages")
    for name, overrides in MODELS.items():
        write_small_package(folder / name, "personality", *overrides, n_rows=400)
    return {name: folder / name for name in MODELS}


@pytest.fixture(scope="session")
def empty_stores(databases: ProjectDatabases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MLflow's store and a state database without a row: their migrations take seconds, so once."""
    root = tmp_path_factory.mktemp("stores")
    RunStore(root).client()
    (root / "state").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        databases.use_for(patch, root)
        open_state(root).close()
    return root


@pytest.fixture
def registry(
    databases: ProjectDatabases, empty_stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModelRegistry:
    """A registry without versions."""
    monkeypatch.setenv("MLOPS_ACTOR", "ada")
    databases.use_for(monkeypatch, tmp_path, copy_of=empty_stores)
    shutil.copy(empty_stores / "mlflow.db", tmp_path / "mlflow.db")
    shutil.copytree(empty_stores / "state", tmp_path / "state")
    return ModelRegistry(tmp_path)


@pytest.fixture
def three(registry: ModelRegistry, candidates: dict[str, Path]) -> ModelRegistry:
    """A registry with three versions that passed their gates."""
    gates = GateReport("0" * 64, None, (Gate("limit ece", "pass", "0.02 of at most 0.015"),))
    for folder in candidates.values():
        registry.register_model(folder, "personality_model", gates=gates)
    return registry
