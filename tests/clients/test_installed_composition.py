"""DVC composes a project on the installed engine as the stage `compose` does."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.client_environments import client_variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.client_environments import ClientEnvironment

_CONFIG = """\
defaults:
  - base
  - data: iris
  - model: svm
  - _self_
  - optional experiment: null
  - optional hparams_search: null
hydra:
  searchpath: [pkg://pipeline.conf]
seed: 7
"""
_GRAPH = """\
stages:
  compose:
    cmd: python -m pipeline.stages.compose
    deps: [conf]
    outs:
      - params.yaml: {cache: false, persist: true}
      - reports/config_origin.json
"""
_DVC = "[core]\n    analytics = false\n    autostage = false\n[hydra]\n    enabled = True\n"


@pytest.fixture(scope="module")
def project(installed_engine: ClientEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that has run its stage compose and committed the result."""
    tmp_path = tmp_path_factory.mktemp("project")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(_CONFIG, encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text(_GRAPH, encoding="utf-8")
    _run(installed_engine, tmp_path, "git", "init", "--quiet")
    _run(installed_engine, tmp_path, "dvc", "init", "--quiet")
    (tmp_path / ".dvc/config").write_text(_DVC, encoding="utf-8")
    _run(installed_engine, tmp_path, "dvc", "repro", "--quiet")
    _run(installed_engine, tmp_path, "git", "add", ".")
    _run(
        installed_engine, tmp_path, "git", "-c", "user.name=t", "-c", "user.email=t@x", "commit", "--quiet", "-m", "One"
    )
    return tmp_path


def _run(engine: ClientEnvironment, cwd: Path, *command: str) -> str:
    variables = client_variables() | {"PATH": f"{engine.folder / 'bin'}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    ended = subprocess.run(
        list(command), cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_an_experiment_of_dvc_has_the_settings_of_the_stage(installed_engine: ClientEnvironment, project: Path) -> None:
    words = ["model=knn", "training.folds=3"]
    _run(installed_engine, project, "dvc", "exp", "run", *(part for word in words for part in ("-S", word)))
    program = f"from pipeline.config.composition import compose; print(compose({words}).text, end='')"
    expected = _run(installed_engine, project, "python", "-W", "error::UserWarning", "-c", program)
    assert (project / "params.yaml").read_text(encoding="utf-8") == expected


def test_the_stage_prints_no_warning_of_hydra(installed_engine: ClientEnvironment, project: Path) -> None:
    printed = _run(installed_engine, project, "python", "-m", "pipeline.stages.train", "--cfg", "job", "model=knn")
    assert "name: knn" in printed
    assert "Warning" not in printed


def test_the_origin_of_a_default_is_the_engine(installed_engine: ClientEnvironment, project: Path) -> None:
    printed = _run(installed_engine, project, "mlops", "config", "why", "training.folds")
    assert "engine: conf/training/default.yaml" in printed
