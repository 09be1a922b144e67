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


@pytest.fixture(scope="session")
def three_versions(
    databases: ProjectDatabases,
    empty_stores: Path,
    candidates: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of a registry with three versions that passed their gates."""
    root = tmp_path_factory.mktemp("registry")
    gates = GateReport("0" * 64, None, (Gate("limit ece", "pass", "0.02 of at most 0.015"),))
    with pytest.MonkeyPatch.context() as patch:
        registry = _copy_of(empty_stores, root, databases, patch)
        for folder in candidates.values():
            registry.register_model(folder, "personality_model", gates=gates)
    return root


def _copy_of(source: Path, target: Path, databases: ProjectDatabases, patch: pytest.MonkeyPatch) -> ModelRegistry:
    patch.setenv("MLOPS_ACTOR", "ada")
    databases.use_for(patch, target, copy_of=source)
    shutil.copytree(source, target, dirs_exist_ok=True)
    return ModelRegistry(target)


@pytest.fixture
def registry(
    databases: ProjectDatabases, empty_stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModelRegistry:
    """A registry without versions."""
    return _copy_of(empty_stores, tmp_path, databases, monkeypatch)


@pytest.fixture
def three(
    databases: ProjectDatabases, three_versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModelRegistry:
    """A registry with three versions that passed their gates."""
    return _copy_of(three_versions, tmp_path, databases, monkeypatch)
