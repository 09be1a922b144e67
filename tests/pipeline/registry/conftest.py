"""Packages to register, and a registry in a folder of its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.registry import ModelRegistry
from pipeline.state import open_state
from pipeline.tracking.store import Store
from tests.pipeline.package.packing import pack

if TYPE_CHECKING:
    from pathlib import Path

MODELS = {
    "first": ("model=logistic_regression",),
    "second": ("model=logistic_regression", "model.estimator.C=0.5"),
    "third": ("model=naive_bayes",),
}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of three packages: two of one kind of model and one of another."""
    folder = tmp_path_factory.mktemp("packages")
    for name, overrides in MODELS.items():
        pack(folder / name, "personality", *overrides, n_rows=400)
    return {name: folder / name for name in MODELS}


@pytest.fixture(scope="session")
def empty_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MLflow's store and a state database without a row: their migrations take seconds, so once."""
    root = tmp_path_factory.mktemp("stores")
    Store(root).client()
    open_state(root).close()
    return root


@pytest.fixture
def registry(empty_stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    """A registry without versions."""
    monkeypatch.setenv("MLOPS_ACTOR", "ada")
    monkeypatch.delenv("MLOPS_STATE_URL", raising=False)
    shutil.copy(empty_stores / "mlflow.db", tmp_path / "mlflow.db")
    shutil.copytree(empty_stores / "state", tmp_path / "state")
    return ModelRegistry(tmp_path)
