"""A copy of the shipped configuration that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the shipped conf/ and the params.yaml made of it."""
    shutil.copytree(REPOSITORY / "conf", tmp_path / "conf")
    shutil.copy(REPOSITORY / "params.yaml", tmp_path / "params.yaml")
    return tmp_path
