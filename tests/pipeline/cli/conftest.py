"""A project with versions in different stages, for commands that read or change the registry."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline import files
from pipeline.config.composition import compose
from pipeline.registry import ModelRegistry
from tests.fixtures.small_packages import write_small_package
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.registry.test_model_registry import NAME, add
from tests.pipeline.serving.files.scored_parts import many_rows, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

PASSED_MODELS = (("model=logistic_regression",), ("model=naive_bayes",))
REJECTED_MODEL = ("model=logistic_regression", "model.estimator.C=0.5")


@pytest.fixture(scope="session")
def registered_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions that passed their gates and one that did not; version 1 is in Production."""
    root = tmp_path_factory.mktemp("registered")
    files.write_text(root / "params.yaml", compose((), conf=ROOT / "conf").text)
    (root / "dvc.yaml").touch()
    registry = ModelRegistry(root)
    for at, overrides in enumerate((*PASSED_MODELS, REJECTED_MODEL)):
        folder = root / f"package_{at}"
        write_small_package(folder, "personality", *overrides, n_rows=400)
        add(registry, folder, "fail" if overrides is REJECTED_MODEL else "pass")
    registry.promote_model(NAME, 1, "Production", reason="the first")
    return root


@pytest.fixture
def model_project(registered_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, with none of the variables that lead elsewhere."""
    for name in ("MLOPS_STATE_URL", "MLOPS_ACTOR", "MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    return shutil.copytree(registered_models, tmp_path / "project")


@pytest.fixture
def mlops(model_project: Path, run_cli: CliRunner) -> Callable[..., CliRun]:
    """Run a command in the project and expect that it succeeds."""

    def run(*words: str) -> CliRun:
        result = run_cli(*words, cwd=model_project)
        assert result.exit_code == 0, result.err
        return result

    return run


@pytest.fixture
def rows_project(project: Path) -> Path:
    """The registered project with its settings and a folder of two files."""
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    rows = many_rows(90).drop_columns("id")
    write_rows(project / "in/a.parquet", rows.slice(0, 60), group_rows=20)
    write_rows(project / "in/b.parquet", rows.slice(60), group_rows=20)
    return project


@pytest.fixture
def run_in_rows(rows_project: Path, run_cli: CliRunner) -> Callable[..., str]:
    """Run a command in the project, expect an exit code, and return the output, or the message of the error."""

    def run(*words: str, expect: int = 0, env: dict[str, str] | None = None) -> str:
        result = run_cli(*words, cwd=rows_project, env=env)
        assert result.exit_code == expect, result.err
        return result.err if expect else result.out

    return run
