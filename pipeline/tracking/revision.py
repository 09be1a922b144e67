"""Say which revision of the project made something, as git and DVC tell it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_dvc_lock", "revision_tags", "run_git"]

# What a person edits; outputs and locks change with every run and do not make it another revision.
_EDITED_PATHS = ("conf", "pipeline", "stages", "dvc.yaml", "data/external")


def run_git(root: Path, *arguments: str) -> str | None:
    """Return what a git command says in `root`; None when it fails or git is not there."""
    try:
        answer = subprocess.run(  # noqa: S603 - our own words
            ["git", *arguments],  # noqa: S607 - git is where the person has it
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def parse_dvc_lock(text: str) -> dict[str, Any]:
    """Return what a dvc.lock says, by the stages' names.

    DVC writes YAML 1.2, in which a bare No is a word; other readers make False of it.

    Raises
    ------
    DataError
        When it is not the text of a dvc.lock.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found: dict[str, Any] = YAML(typ="safe").load(text)["stages"]
    except (KeyError, TypeError, YAMLError) as error:
        raise DataError(f"dvc.lock: is not what DVC writes ({error!r}); run `dvc repro` to make it anew") from error
    return found


def revision_tags(root: Path) -> dict[str, str]:
    """Return commit, branch, whether edits are not committed, and the name of the DVC experiment, where known."""
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
