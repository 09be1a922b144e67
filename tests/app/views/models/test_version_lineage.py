"""A version that was trained with uncommitted edits has a warning beside its stage."""

from __future__ import annotations

import pytest

from app.views.models.version_lineage import dirty_badge
from pipeline.state import ModelVersion


@pytest.mark.parametrize(
    ("tags", "is_marked"), [({"git.dirty": "true"}, True), ({"git.dirty": "false"}, False), ({}, False)]
)
def test_only_uncommitted_edits_are_marked(tags: dict[str, str], is_marked: bool) -> None:
    version = ModelVersion("m", 1, "0" * 64, "1.0.0", "Production", "", tags, 0)
    assert ("uncommitted edits" in dirty_badge(version)) is is_marked
