"""The root of a project is found from any folder inside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.project.root import find_code_root, find_project_root, find_state_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two nested folders below an empty root, the inner one current."""
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return folder


@pytest.mark.parametrize("marker", ["dvc.yaml", ".git"])
def test_the_project_root_is_the_nearest_folder_with_a_marker(deep: Path, marker: str) -> None:
    (deep.parents[1] / marker).touch()
    assert find_project_root() == deep.parents[1]
    (deep.parent / marker).touch()
    assert find_project_root() == deep.parent


def test_without_a_marker_the_current_folder_is_the_root(deep: Path) -> None:
    assert (find_project_root(), find_state_root()) == (deep, deep)


def test_dvc_names_the_workspace_of_a_queued_experiment(
    deep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep / "dvc.yaml").touch()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert (find_project_root(), find_code_root()) == (tmp_path, deep)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "absent"))
    assert find_project_root() == deep


def test_settings_mark_the_root_of_a_serving_image(deep: Path) -> None:
    (deep.parent / "params.yaml").touch()
    assert find_state_root() == deep.parent
    assert find_project_root() == deep


def test_a_named_folder_may_be_the_root_or_its_state(deep: Path) -> None:
    assert find_state_root(deep.parent) == deep.parent
    assert find_state_root(deep.parent / "state") == deep.parent
