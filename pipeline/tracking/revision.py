"""The revision of the project, from git and DVC."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.project.git_command import run_git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_dvc_lock", "revision_tags"]

# Edited files; outputs and locks change with every run and are no new revision.
_EDITED_PATHS = ("conf", "engine", "pipeline", "stages", "dvc.yaml", "data/external")


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
            tags |= {"git.branch": str(branch), "mlflow.source.git.branch": str(branch)}
    name = os.environ.get("DVC_EXP_NAME")
    if name:
        tags |= {"dvc.experiment": name, "git.dirty": "true"}
    return tags
