"""Bring back the outputs of earlier commits from dvc.lock and DVC's cache, one finished run at a time."""

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

from pipeline import files, paths
from pipeline.errors import DataError, DependencyUnavailable
from pipeline.tracking.projection import PROJECTED
from pipeline.tracking.revision import git, parse_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Commit", "cache_of", "commits", "restore_output", "restored"]

_LOCK = "dvc.lock"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that changed dvc.lock; `experiment` is the name of the DVC experiment that it belongs to."""

    sha: str
    experiment: str | None = None

    def tags(self) -> dict[str, str]:
        """Return what its run is tagged with."""
        tags = {"git.commit": self.sha, "git.dirty": "false", "mlflow.source.git.commit": self.sha}
        return tags if self.experiment is None else {**tags, "dvc.experiment": self.experiment}


def commits(root: Path) -> list[Commit]:
    """Return every commit of every branch, tag and DVC experiment whose dvc.lock is new, oldest first.

    Raises
    ------
    DependencyUnavailable
        When `root` is not in a git repository.
    """
    listed = git(root, "log", "--all", "--reverse", "--topo-order", "--format=%H", "--", _LOCK)
    if listed is None:
        raise DependencyUnavailable(f"{root}: no git history here; run this inside the project's git repository")
    experiments = _experiments(root)
    seen: set[tuple[str | None, str | None]] = set()
    found = []
    for sha in listed.splitlines():
        content = (git(root, "rev-parse", f"{sha}:./{_LOCK}"), git(root, "rev-parse", f"{sha}:./{paths.PARAMS}"))
        if None not in content and content not in seen:
            seen.add(content)
            found.append(Commit(sha, experiments.get(sha)))
    return found


def _experiments(root: Path) -> dict[str, str]:
    """Return the name of each DVC experiment by its commit."""
    listed = git(root, "for-each-ref", "refs/exps", "--format=%(objectname) %(refname)") or ""
    named = [line.split(" ", 1) for line in listed.splitlines()]
    # refs/exps/<two letters>/<commit it stands on>/<name>; others are DVC's own marks.
    return {sha: ref.split("/")[4] for sha, ref in named if len(ref.split("/")) == 5 and "exec" not in ref.split("/")}


@contextmanager
def restored(root: Path, commit: Commit, *, cache: Path) -> Iterator[Path]:
    """Yield a temporary folder with the outputs and the settings of a commit; `cache` is that of `cache_of`.

    Raises
    ------
    DataError
        When an output is not in DVC's cache.
    """
    stages = parse_lock(git(root, "show", f"{commit.sha}:./{_LOCK}") or "")
    outs = {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", ())}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = git(root, "show", f"{commit.sha}:./{paths.PARAMS}")
        (folder / paths.PARAMS).write_text(f"{settings}\n", encoding="utf-8")
        for path in PROJECTED:
            md5 = outs.get(path.as_posix())
            if md5 is not None:
                restore_output(cache, md5, folder / path)
        yield folder


def cache_of(root: Path) -> Path:
    """Return the folder of DVC's cached objects, wherever the project keeps it.

    Raises
    ------
    DependencyUnavailable
        When DVC does not say.
    """
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    environment.pop("DVC_ROOT", None)
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if answer.returncode != 0:
        raise DependencyUnavailable(f"DVC does not say where its cache is: {answer.stderr.strip()[:300]}")
    return Path(answer.stdout.strip().splitlines()[-1]) / "files" / "md5"


def restore_output(cache: Path, md5: str, target: Path) -> None:
    """Copy one output, a file or a folder, from DVC's cache to `target`.

    Raises
    ------
    DataError
        When the cache does not hold it.
    """
    if not md5.endswith(".dir"):
        _copy(cache, md5, target)
        return
    members: list[dict[str, Any]] = files.read_json(_object(cache, md5))
    target.mkdir(parents=True)
    for member in members:
        _copy(cache, member["md5"], target / member["relpath"])


def _copy(cache: Path, md5: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_object(cache, md5), target)


def _object(cache: Path, md5: str) -> Path:
    path = cache / md5[:2] / md5[2:]
    if not path.exists():
        raise DataError(f"object {md5} is not in DVC's cache; `dvc fetch --all-commits` brings it from the remote")
    return path
