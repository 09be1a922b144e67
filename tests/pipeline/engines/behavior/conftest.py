"""The project whose files are scored."""

from __future__ import annotations

from tests.pipeline.serving.files.conftest import package_with_id, scoring

__all__ = ["package_with_id", "scoring"]
