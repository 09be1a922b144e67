"""The state databases of a run of the tests: files, or copies in a real server where `MLOPS_TEST_DATABASE=postgresql`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.state import URL_ENV
from tests.pipeline.state import postgresql_server

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["DATABASE_KIND", "ProjectDatabases"]

DATABASE_KIND = os.environ.get("MLOPS_TEST_DATABASE", "sqlite")
if DATABASE_KIND not in ("sqlite", "postgresql"):
    raise ValueError(f"MLOPS_TEST_DATABASE={DATABASE_KIND}: accepted is sqlite or postgresql")


@dataclass
class ProjectDatabases:
    """Gives each project its own; `address` is that of a server, None for files below the projects."""

    server_url: str | None
    _names: dict[Path, str] = field(default_factory=dict)

    def use_for(self, patch: pytest.MonkeyPatch, root: Path, *, copy_of: Path | None = None) -> None:
        """Let the project at `root` have a database: empty, or a copy of that of `like` (whose files the caller copies)."""
        if self.server_url is None:
            patch.delenv(URL_ENV, raising=False)
            return
        source = postgresql_server.template_database(self.server_url) if copy_of is None else self._names[copy_of]
        url = postgresql_server.new_database(self.server_url, template=source)
        self._names[root] = url.rpartition("/")[2]
        patch.setenv(URL_ENV, url)
