"""Two packages, and a database and a store of packages that replicas share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def two_packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two packages of one problem."""
    folder = tmp_path_factory.mktemp("packages")
    write_small_package(folder / "first", "personality", "model=logistic_regression", n_rows=400)
    write_small_package(folder / "second", "personality", "model=naive_bayes", n_rows=400)
    return folder / "first", folder / "second"
