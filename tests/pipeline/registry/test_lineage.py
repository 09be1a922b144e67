"""The lineage of a version names its commit, or states that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import UsageError
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from pipeline.registry import ModelRegistry


def test_a_package_without_a_commit_has_no_lineage_and_no_reproduction(three: ModelRegistry) -> None:
    lineage = three.lineage(NAME, 1)
    assert (lineage.commit, lineage.data_md5) == (None, {})
    assert "none; commit dvc.lock" in lineage.as_text()
    with pytest.raises(UsageError, match=r"no commit has a dvc\.lock that names its package"):
        three.reproduce(NAME, 1)
