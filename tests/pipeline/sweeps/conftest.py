from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipeline.sweeps.sweep_project import Project, make_project


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("sweeps") / "project")


@pytest.fixture
def project(prepared: Path, tmp_path: Path) -> Project:
    return Project(Path(shutil.copytree(prepared, tmp_path / "project", symlinks=True)))
