"""The project of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.monitoring.counting.counted_files import Counted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def counted(packages: dict[str, Path], tmp_path: Path) -> Counted:
    """A project with the linear package."""
    return Counted.create(tmp_path, packages["linear"])
