"""The revision of the project, from git and DVC."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["git_environment", "parse_dvc_lock", "revision_tags", "run_git"]

# Edited files; outputs and locks change with every run and are no new revision.
_EDITED_PATHS = ("conf", "pipeline", "stages", "dvc.yaml", "data/external")
# Git sets these for its hooks; with them, a command in any folder changes the repository of the hook.
_REPOSITORY_VARIABLES = (
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)


def git_environment() -> dict[str, str]:
    """Return the environment of this process without what names another repository than the working directory."""
    return {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}


def run_git(root: Path, *arguments: str) -> str | None:
    """Return the output of a git command in `root`; None if it fails or git is missing."""
    try:
        process = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - git is found on PATH
            cwd=root,
            env=git_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout.strip() if process.returncode == 0 else None


def parse_dvc_lock(text: str) -> dict[str, Any]:
    """Return the entries of a dvc.lock by stage.

    DVC writes YAML 1.2, in which a bare No is a text; YAML 1.1 parsers read it as False.

    Raises
    ------
    DataError
        When the text is not a dvc.lock.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        stages: dict[str, Any] = YAML(typ="safe").load(text)["stages"]
    except (KeyError, TypeError, YAMLError) as error:
        raise DataError(f"dvc.lock: invalid ({error!r}); run `dvc repro` to recreate it") from error
    return stages


def revision_tags(root: Path) -> dict[str, str]:
    """Return tags for commit, branch, uncommitted edits and DVC experiment, if known."""
    tags: dict[str, str] = {}
    commit = run_git(root, "rev-parse", "HEAD")
    if commit is not None:
        changed = run_git(root, "status", "--porcelain", "--", *_EDITED_PATHS)
        tags = {"git.commit": commit, "git.dirty": str(changed != "").lower(), "mlflow.source.git.commit": commit}
        branch = run_git(root, "rev-parse", "--abbrev-ref", "HEAD")
        if branch not in (None, "HEAD"):
            tags["git.branch"] = str(branch)
    name = os.environ.get("DVC_EXP_NAME")
    if name:
        tags |= {"dvc.experiment": name, "git.dirty": "true"}
    return tags
