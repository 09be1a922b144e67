"""Run git in a folder, in the repository of that folder."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["git_environment", "run_git"]

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
