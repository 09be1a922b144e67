"""One written package for the tests of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one written package, which no test changes."""
    path = tmp_path_factory.mktemp("packages") / "candidate"
    write_small_package(path, "personality", "training.calibration=sigmoid", n_rows=400)
    return path
