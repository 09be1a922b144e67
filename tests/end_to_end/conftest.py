"""Workspaces in which the graph has run once, shared by all test processes of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.files import exclusive_lock
from tests.end_to_end import workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.workspace import Workspace


def _once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Workspace]) -> Workspace:
    """Build the workspace in the first process that asks; the others wait for it."""
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    target, done = shared / name, shared / f"{name}.done"
    with exclusive_lock(shared / f"{name}.lock", operation="building a workspace", wait_s=600):
        if not done.exists():
            build(target)
            done.touch()
    return workspace.Workspace(target)


def _full(target: Path) -> Workspace:
    made = workspace.create_workspace(target)
    made.repro()
    made.commit("The first results")
    return made


def _small(target: Path) -> Workspace:
    made = workspace.create_workspace(target)
    workspace.use_small_dataset(made)
    made.repro()
    made.commit("The first results")
    return made


@pytest.fixture(scope="session")
def finished_default(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The project as shipped, after `dvc repro`; read only, copy it to change it."""
    return _once(tmp_path_factory, "finished_default", _full)


@pytest.fixture(scope="session")
def finished_small(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same on 1,500 rows, for tests of the graph itself; read only."""
    return _once(tmp_path_factory, "finished_small", _small)


@pytest.fixture
def small(finished_small: Workspace, tmp_path: Path) -> Workspace:
    """A small finished workspace of one's own."""
    return finished_small.copy(tmp_path / "project")
