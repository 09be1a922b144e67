"""The same commit gives the same bytes in another folder, home, zone, language, umask and thread count."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.files import sha256_file
from tests.fixtures import workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace


FOLDERS = ("data", "metrics", "models", "plots", "reports")


def contents(project: Workspace) -> dict[str, str]:
    """Return path -> SHA-256 of everything that the graph wrote."""
    made = [path for folder in FOLDERS for path in (project.root / folder).rglob("*") if path.is_file()]
    made += [project.root / "dvc.lock", project.root / "params.yaml"]
    made.remove(project.root / "reports/index.html")  # names when each report was written, and is no output of DVC
    return {str(path.relative_to(project.root)): sha256_file(path) for path in sorted(made)}


def test_another_machine_makes_the_same_bytes(finished_default: Workspace, tmp_path: Path) -> None:
    elsewhere = workspace.create_workspace(
        tmp_path / "another folder" / "with a longer name",
        HOME=str(tmp_path / "home"),
        TZ="Pacific/Kiritimati",
        LANG="tr_TR.UTF-8",
        LC_ALL="C",
        PYTHONHASHSEED="12345",
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        LOKY_MAX_CPU_COUNT="1",
    )
    before = os.umask(0o077)
    try:
        elsewhere.run("dvc", "repro", "--force", "--no-run-cache")
    finally:
        os.umask(before)
    assert contents(elsewhere) == contents(finished_default)
