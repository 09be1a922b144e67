"""Check out a commit beside the workspace, where a retrain changes files, and commit the result on its own branch.

Neither the checked-out branch nor a file of the workspace changes; the cache of DVC is shared.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.files import exclusive_lock, sha256_file
from pipeline.project import paths
from pipeline.project.dvc_messages import explain_dvc_error
from pipeline.project.git_command import git_environment, run_git
from pipeline.tracking.dvc_history import dvc_cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "RetrainWorktree",
    "branch_name",
    "delete_branch",
    "has_checkout",
    "require_clean_settings",
    "require_disk_space",
    "require_free_branch",
]

_NOT_IN_A_BRANCH = re.compile(r"[^A-Za-z0-9_-]+")
_TIMEOUT_S = 600
# A hook of the project must not run for the commit of a program, and a program enters no passphrase.
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")


@dataclass(frozen=True, slots=True)
class RetrainWorktree:
    """The worktree of one retrain of the project at `root`."""

    root: Path
    seq: int

    @property
    def checkout(self) -> Path:
        """Folder of the whole repository."""
        return self.root / paths.RETRAIN_WORKTREES / str(self.seq)

    @property
    def folder(self) -> Path:
        """Folder of the project in it."""
        return self.checkout / (run_git(self.root, "rev-parse", "--show-prefix") or "")

    @property
    def lock(self) -> Path:
        """File that the process that trains has locked."""
        return self.root / paths.RETRAIN_WORKTREES / f"{self.seq}.lock"

    @property
    def patch(self) -> Path:
        """File of the result where `lifecycle.retrain.git` is `none`."""
        return self.root / paths.RETRAIN_WORKTREES / f"{self.seq}.patch"

    def create(self, commit: str) -> None:
        """Check out a commit, without an earlier worktree of this retrain, and restore its imported files.

        Raises
        ------
        DependencyUnavailable
            When git or DVC fails.
        """
        self.remove()
        self.checkout.parent.mkdir(parents=True, exist_ok=True)
        self._git(self.root, "worktree", "add", "--force", "--detach", str(self.checkout), commit)
        cache = dvc_cache_folder(self.root).parents[1]
        local = f"[core]\n    analytics = false\n[cache]\n    dir = {_dvc_setting(str(cache))}\n"
        (self.folder / ".dvc/config.local").write_text(local, encoding="utf-8")
        pointers = [
            str(path.relative_to(self.folder)) for path in sorted(self.folder.glob(f"{paths.EXTERNAL}/**/*.dvc"))
        ]
        if pointers:
            self.dvc("checkout", "--quiet", *pointers)

    def remove(self) -> None:
        """Remove the worktree; its branch stays.

        Raises
        ------
        Conflict
            When another process still trains in it.
        """
        self.require_idle()
        # Git refuses a half-made worktree until its folder is gone. `git worktree prune` would also forget worktrees of
        # people that are missing now.
        self._forget()
        shutil.rmtree(self.checkout, ignore_errors=True)
        self._forget()
        self.lock.unlink(missing_ok=True)

    def _forget(self) -> None:
        with suppress(DependencyUnavailable):
            self._git(self.root, "worktree", "remove", "--force", "--force", str(self.checkout))

    def require_idle(self) -> None:
        """Refuse while another process trains in the worktree, such as a graph whose starter was killed.

        Raises
        ------
        Conflict
            When one does.
        """
        if self.lock.exists():
            with exclusive_lock(self.lock, operation=f"retrain {self.seq}: training"):
                pass

    def dvc(self, *arguments: str) -> None:
        """Run a command of DVC in the worktree.

        Raises
        ------
        DependencyUnavailable
            When it fails, with its explanation.
        """
        environment = {**git_environment(), "DVC_NO_ANALYTICS": "1"}
        environment.pop("DVC_ROOT", None)
        command = [sys.executable, "-m", "dvc", *arguments]
        completed = subprocess.run(  # noqa: S603 - fixed arguments
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
        if completed.returncode != 0:
            printed = completed.stderr or completed.stdout
            raise DependencyUnavailable(
                f"`dvc {arguments[0]}` failed in the worktree of retrain {self.seq}: {explain_dvc_error(printed)}"
            )

    def has_file(self, path: str, *, sha256: str | None = None) -> bool:
        """Whether the worktree has a file, and with this content if a hash is given."""
        file = self.folder / path
        return file.is_file() and sha256 in (None, sha256_file(file))

    def commit(self, files: Sequence[str], message: str, *, author: str, base: str) -> str:
        """Commit files on top of the base commit, or return the commit that an interrupted run already made.

        Raises
        ------
        DependencyUnavailable
            When git fails.
        """
        if self._git(self.folder, "rev-parse", "HEAD") == base:
            self._git(self.folder, "add", "--force", "--", *files)
            arguments = ("commit", "--quiet", "--message", message, "--trailer", f"Retrain: {self.seq}")
            self._git(self.folder, *arguments, environment=_identity(self.root, author))
        return self._git(self.folder, "rev-parse", "HEAD")

    def set_branch(self, name: str, commit: str) -> None:
        """Create a branch at a commit; it is checked out nowhere.

        Raises
        ------
        Conflict
            When a branch of this name has another commit.
        DependencyUnavailable
            When git fails.
        """
        if _branch_commit(self.root, name) == commit:
            return
        require_free_branch(self.root, name)
        self._git(self.root, "update-ref", f"refs/heads/{name}", commit, "")

    def write_patch(self, files: Sequence[str]) -> None:
        """Write the changes of files in the worktree as a patch.

        Raises
        ------
        DependencyUnavailable
            When git fails.
        """
        self._git(self.folder, "add", "--force", "--", *files)
        patch = self._git(self.folder, "diff", "--cached", "--binary", "HEAD")
        self.patch.write_text(f"{patch}\n", encoding="utf-8")

    def _git(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
        try:
            completed = subprocess.run(  # noqa: S603 - fixed arguments
                [*_GIT, *arguments],
                cwd=folder,
                env={**git_environment(), **(environment or {})},
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DependencyUnavailable(f"git {arguments[0]}: {error}; retrain {self.seq} needs git") from error
        if completed.returncode != 0:
            printed = " ".join((completed.stderr or completed.stdout).split())[-400:]
            raise DependencyUnavailable(f"`git {' '.join(arguments[:2])}` failed for retrain {self.seq}: {printed}")
        return completed.stdout.strip()


def branch_name(model: str, seq: int) -> str:
    """Return the branch of a retrain.

    Examples
    --------
    >>> branch_name("personality model", 3)
    'retrain/personality-model/3'
    """
    return f"retrain/{_NOT_IN_A_BRANCH.sub('-', model).strip('-') or 'model'}/{seq}"


def _dvc_setting(value: str) -> str:
    """Return a value as the settings of DVC hold it; without quotes a comma makes a list, and # begins a comment.

    Examples
    --------
    >>> print(_dvc_setting("/data/a, b"))
    "/data/a, b"
    """
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"


def require_free_branch(root: Path, name: str) -> None:
    """Refuse a branch name that a branch has, or that git cannot use beside a branch.

    Raises
    ------
    Conflict
        Naming the branch that is there.
    """
    parts = name.split("/")
    for taken in ("/".join(parts[:n]) for n in range(len(parts), 0, -1)):
        if _branch_commit(root, taken) is not None:
            raise Conflict(
                f"branch {taken} exists, and the retrain needs {name}; rename it: `git branch -m {taken} NAME`"
            )


def delete_branch(root: Path, name: str, *, commit: str | None) -> bool:
    """Delete the branch of a retrain and return whether it was deleted.

    A branch that is checked out stays, and so does one with another commit than `commit`: a person works on it.
    """
    if not name.startswith("retrain/") or commit is None or _branch_commit(root, name) != commit:
        return False
    return run_git(root, "branch", "--quiet", "-D", name) is not None


def _branch_commit(root: Path, name: str) -> str | None:
    return run_git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}")


def has_checkout(root: Path) -> bool:
    """Whether the project is a git checkout, in which alone a retrain can run; a container has none."""
    return run_git(root, "rev-parse", "--git-dir") is not None


def require_clean_settings(root: Path) -> None:
    """Refuse to retrain while conf/ has edits that no commit holds.

    Raises
    ------
    Conflict
        Naming the files.
    DependencyUnavailable
        When the project is in no git repository.
    """
    changed = run_git(root, "status", "--porcelain", "--", str(paths.CONF))
    if changed is None:
        raise DependencyUnavailable(
            f"{root}: is in no git repository, and a retrain starts from a commit; run `git init`"
        )
    if changed:
        files = ", ".join(line[2:].strip() for line in changed.splitlines()[:3])
        raise Conflict(f"conf/ has uncommitted changes ({files}); commit or stash them before a retrain")


def require_disk_space(root: Path, n_bytes: int) -> None:
    """Refuse to begin where the disk has less free space than `n_bytes`.

    Raises
    ------
    DependencyUnavailable
        With the free and the needed space.
    """
    free = shutil.disk_usage(root).free
    if free < n_bytes:
        raise DependencyUnavailable(
            f"{root}: {free / 1e6:.1f} MB are free; expected at least {n_bytes / 1e6:.1f} MB, twice the size of the"
            " snapshot; free space and run the retrain again"
        )


def _identity(root: Path, author: str) -> dict[str, str]:
    email = run_git(root, "config", "user.email") or "mlops@localhost"
    names = {f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")}
    return names | {f"GIT_{role}_EMAIL": email for role in ("AUTHOR", "COMMITTER")}
