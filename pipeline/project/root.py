"""Find the folder of the project, and the folder whose `state/` a command or a server reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

from pipeline.errors import ConfigError
from pipeline.project import paths

__all__ = ["find_code_root", "find_project_root", "find_state_root", "require_project"]

_ROOT_MARKERS = ("dvc.yaml", ".git")
# A repository of git alone is no project; a serving image has settings or a state folder only.
_PROJECT_MARKERS = ("dvc.yaml", str(paths.CONF / "config.yaml"), str(paths.PARAMS), str(paths.STATE_DATABASE))

# `pipeline.state` has the name too; it would bring SQLAlchemy to `mlops --help`.
_STATE_URL_ENV = "MLOPS_STATE_URL"


def find_project_root() -> Path:
    """Return the folder of the project: `DVC_ROOT`, or the nearest folder above with a graph, or the current folder.

    DVC runs queued experiments in temporary copies and names the workspace in `DVC_ROOT`, so their runs
    reach the same store.
    """
    workspace = os.environ.get("DVC_ROOT")
    if workspace and Path(workspace).is_dir():
        return Path(workspace).resolve()
    return _nearest_folder_with(_ROOT_MARKERS)


def find_code_root() -> Path:
    """Return the folder whose conf/ and extensions/ this process reads: the nearest folder above with a graph.

    A queued experiment and a retrain run in a copy of the project, and read the copy; `DVC_ROOT` names the original.
    """
    return _nearest_folder_with(_ROOT_MARKERS)


def find_state_root(folder: Path | None = None) -> Path:
    """Return the folder whose `state/` holds the database and the packages.

    A serving image has settings but neither a graph nor git, so `params.yaml` marks a root here as well.

    Parameters
    ----------
    folder : Path, optional
        That folder, or the folder `state` in it; the nearest one above the current folder when None.
    """
    if folder is None:
        return _nearest_folder_with((*_ROOT_MARKERS, str(paths.PARAMS)))
    resolved = folder.resolve()
    return resolved.parent if resolved.name == paths.STATE.name else resolved


def require_project(state: object = None) -> None:
    """Raise where neither the current folder nor one above it has a project.

    Parameters
    ----------
    state : object
        Folder of a state database that a command was given. With it, or with `MLOPS_STATE_URL`, none is needed.

    Raises
    ------
    ConfigError
        With the commands that lead to one.
    """
    if state is not None or _STATE_URL_ENV in os.environ:
        return
    root = find_state_root()
    folders = (find_project_root(), root, *root.parents)
    if not any((folder / marker).exists() for folder in folders for marker in _PROJECT_MARKERS):
        raise ConfigError(
            f"no project here: {Path.cwd()} and the folders above it have no {_PROJECT_MARKERS[1]};"
            " run `mlops init FOLDER`, or change into a project"
        )


def _nearest_folder_with(markers: Collection[str]) -> Path:
    current = Path.cwd()
    folders = (current, *current.parents)
    return next((folder for folder in folders if any((folder / marker).exists() for marker in markers)), current)
