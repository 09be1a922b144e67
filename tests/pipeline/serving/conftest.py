"""A project with registered models, and the engine that serves one of them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates import Gate, GateReport
from pipeline.package import PackageStore
from pipeline.registry import stage_transitions
from pipeline.serving import Engine
from pipeline.state import URL_ENV, open_state
from tests.pipeline.package.small_packages import unseen_rows, write_small_package
from tests.pipeline.state import postgresql_server
from tests.pipeline.state.conftest import databases, postgresql
from tests.pipeline.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.serving_config import EngineConfig, PredictionLogConfig
    from tests.pipeline.state.project_databases import ProjectDatabases

__all__ = ["databases", "postgresql"]

NAME = "personality_model"
PASSED = GateReport("0" * 64, None, (Gate("limit ece", "pass", "0.01 of at most 0.015"),)).as_dict()
MODELS = {
    "linear": ("model=logistic_regression",),
    "boosted": ("model=hist_gradient_boosting", "model.estimator.max_iter=20"),
}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two packages."""
    folder = tmp_path_factory.mktemp("packages")
    for name, overrides in MODELS.items():
        write_small_package(folder / name, "personality", *overrides, n_rows=600)
    return {name: folder / name for name in MODELS}


@pytest.fixture(scope="session")
def registered(
    databases: ProjectDatabases, packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project with two versions, of which the first is in Production."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        databases.use_for(patch, root)
        _register(root, packages)
    return root


@pytest.fixture
def project(databases: ProjectDatabases, registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the registered project."""
    databases.use_for(monkeypatch, tmp_path, copy_of=registered)
    shutil.copytree(registered, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(params=["sqlite", "postgresql"])
def state_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where state is kept from here on: in a file below the project, or in a database of a server."""
    if request.param == "postgresql":
        monkeypatch.setenv(URL_ENV, postgresql_server.new_database(request.getfixturevalue("postgresql")))
    else:
        monkeypatch.delenv(URL_ENV, raising=False)
    return str(request.param)


@pytest.fixture
def project_on(
    state_database: str, databases: ProjectDatabases, registered: Path, packages: dict[str, Path], tmp_path: Path
) -> Path:
    """The registered project, once on each kind of state database."""
    if state_database == "sqlite" and databases.server_url is None:
        shutil.copytree(registered, tmp_path, dirs_exist_ok=True)
    else:
        _register(tmp_path, packages)
    return tmp_path


def _register(root: Path, packages: dict[str, Path]) -> None:
    state = open_state(root)
    kept = PackageStore(root / "state/packages")
    for folder in packages.values():
        stage_transitions.register(state, kept, NAME, kept.add(folder), tags={}, gates=PASSED, description="")
    state.close()
    promote(root, 1)


def promote(root: Path, version: int, stage: str = "Production") -> None:
    """Decide what serves, as `mlops promote` does."""
    state = open_state(root)
    stage_transitions.promote(state, NAME, version, stage)
    state.close()


def engine_settings(**changes: Any) -> EngineConfig:
    return settings().serving.engine.model_copy(update={"follow_s": 0.05, **changes})


def log_settings(**changes: Any) -> PredictionLogConfig:
    return settings().serving.log.model_copy(update=changes)


def make_engine(root: Path, *, engine: EngineConfig | None = None, **log: Any) -> Engine:
    return Engine(root, NAME, engine or engine_settings(), log_settings(**log))


def make_rows(n: int) -> list[dict[str, Any]]:
    """Return `n` rows that no model learned from, as a caller would send them."""
    frame = unseen_rows("personality", 600)
    plain = json.loads(frame.to_json(orient="records"))
    return [plain[at % len(plain)] for at in range(n)]


def row_body(features: dict[str, Any]) -> bytes:
    return json.dumps({"features": features}).encode()


def batch_body(instances: list[dict[str, Any]]) -> bytes:
    return json.dumps({"instances": instances}).encode()
