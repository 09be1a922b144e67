"""Restore the outputs of earlier commits from dvc.lock and DVC's cache, one finished run at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.errors import DataError, DependencyUnavailable
from pipeline.project import paths
from pipeline.project.dvc_messages import explain_dvc_error
from pipeline.project.git_command import run_git
from pipeline.tracking.projection import PROJECTED_OUTPUTS
from pipeline.tracking.revision import parse_dvc_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LockCommit", "dvc_cache_folder", "lock_commits", "restore_output", "restored_commit"]

_DVC_LOCK = "dvc.lock"


@dataclass(frozen=True, slots=True)
class LockCommit:
    """A commit that changed dvc.lock; `experiment` is the name of its DVC experiment."""

    sha: str
    experiment: str | None = None

    def tags(self) -> dict[str, str]:
        """Return the tags of its run."""
        tags = {"git.commit": self.sha, "git.dirty": "false", "mlflow.source.git.commit": self.sha}
        return tags if self.experiment is None else {**tags, "dvc.experiment": self.experiment}


def lock_commits(root: Path) -> list[LockCommit]:
    """Return every commit of every branch, tag and DVC experiment whose dvc.lock is new, oldest first.

    Raises
    ------
    DependencyUnavailable
        When `root` is not in a git repository.
    """
    listed = run_git(root, "log", "--all", "--reverse", "--topo-order", "--format=%H", "--", _DVC_LOCK)
    if listed is None:
        raise DependencyUnavailable(f"{root}: no git history; run this inside the git repository of the project")
    experiments = _experiment_names(root)
    seen: set[tuple[str | None, str | None]] = set()
    commits = []
    for sha in listed.splitlines():
        content = (
            run_git(root, "rev-parse", f"{sha}:./{_DVC_LOCK}"),
            run_git(root, "rev-parse", f"{sha}:./{paths.PARAMS}"),
        )
        if None not in content and content not in seen:
            seen.add(content)
            commits.append(LockCommit(sha, experiments.get(sha)))
    return commits


def _experiment_names(root: Path) -> dict[str, str]:
    """Return the name of each DVC experiment by its commit."""
    listed = run_git(root, "for-each-ref", "refs/exps", "--format=%(objectname) %(refname)") or ""
    named = [line.split(" ", 1) for line in listed.splitlines()]
    # refs/exps/<two letters>/<base commit>/<name>; other refs are internal to DVC.
    return {sha: ref.split("/")[4] for sha, ref in named if len(ref.split("/")) == 5 and "exec" not in ref.split("/")}


@contextmanager
def restored_commit(root: Path, commit: LockCommit, *, cache: Path) -> Iterator[Path]:
    """Yield a temporary folder with the outputs and the settings of a commit; `cache` is that of `dvc_cache_folder`.

    Raises
    ------
    DataError
        When an output is not in DVC's cache.
    """
    stages = parse_dvc_lock(run_git(root, "show", f"{commit.sha}:./{_DVC_LOCK}") or "")
    outs = {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", ())}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = run_git(root, "show", f"{commit.sha}:./{paths.PARAMS}")
        (folder / paths.PARAMS).write_text(f"{settings}\n", encoding="utf-8")
        for path in PROJECTED_OUTPUTS:
            md5 = outs.get(path.as_posix())
            if md5 is not None:
                restore_output(cache, md5, folder / path)
        yield folder


def dvc_cache_folder(root: Path) -> Path:
    """Return the folder of the cached objects of DVC.

    Raises
    ------
    DependencyUnavailable
        When DVC fails.
    """
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    environment.pop("DVC_ROOT", None)
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    process = subprocess.run(  # noqa: S603 - fixed arguments
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        raise DependencyUnavailable(f"the folder of DVC's cache is unknown: {explain_dvc_error(process.stderr)}")
    return Path(process.stdout.strip().splitlines()[-1]) / "files" / "md5"


def restore_output(cache: Path, md5: str, target: Path) -> None:
    """Copy one output, a file or a folder, from DVC's cache to `target`.

    Raises
    ------
    DataError
        When the output is not in the cache.
    """
    if not md5.endswith(".dir"):
        _copy_object(cache, md5, target)
        return
    members: list[dict[str, Any]] = files.read_json(_cached_object(cache, md5))
    target.mkdir(parents=True)
    for member in members:
        _copy_object(cache, member["md5"], target / member["relpath"])


def _copy_object(cache: Path, md5: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_cached_object(cache, md5), target)


def _cached_object(cache: Path, md5: str) -> Path:
    path = cache / md5[:2] / md5[2:]
    if not path.exists():
        raise DataError(f"object {md5} is not in DVC's cache; download it with `dvc fetch --all-commits`")
    return path
