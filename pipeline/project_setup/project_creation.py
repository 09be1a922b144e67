"""Create a project on the installed engine: a new folder or a git repository without one, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.params_file import write_params
from pipeline.data.object_import import local_names
from pipeline.errors import Conflict, DependencyUnavailable, MlopsError, UsageError
from pipeline.files import atomic_folder, write_text
from pipeline.problem_draft import draft_declaration
from pipeline.project import paths
from pipeline.project.git_command import git_environment, run_git
from pipeline.project_setup.project_files import config_text, initial_files

if TYPE_CHECKING:
    from pipeline.problem_draft import DraftReport

__all__ = ["CreatedProject", "ProblemFile", "create_project"]

_MARKERS = (paths.GRAPH, Path(".dvc"), paths.ENGINE_RECORD, paths.CONF / "config.yaml")
# A folder in the project's folder, from which files are renamed into their places; `ready` says that it is whole.
_PREPARED = Path(".mlops-init")
_READY = "ready"
# What DVC and git need while the files are made, and what the first run makes again.
_SCRATCH = (Path(".dvc/tmp"), paths.CONFIG_ORIGIN.parent)
# Hosts of git make them with a repository: the first stays as it is, the second gets further lines.
_README = Path("README.md")
_GITIGNORE = Path(".gitignore")


@dataclass(frozen=True, slots=True)
class ProblemFile:
    """A file of rows, and the column of it to predict."""

    file: str
    target: str


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """The folder of a new project; the draft of its declaration, if it has data of its own.

    `is_resumed` says that the files were prepared by an earlier call that was interrupted.
    """

    folder: Path
    draft: DraftReport | None
    is_resumed: bool = False


def create_project(folder: Path, problem: ProblemFile | None = None) -> CreatedProject:
    """Create a project in `folder`, with the problem of a file or with the problem of the engine.

    A missing folder appears whole. In an existing folder the files are prepared aside first, and a call after an
    interruption puts the prepared files into their places. README.md of the folder stays as it is, and .gitignore gets
    the lines that it lacks.

    Raises
    ------
    Conflict
        When the folder is a project, or has a file that would be overwritten; nothing is written then.
    UsageError
        When the folder is inside of another git repository.
    DataError, ConfigError
        When no declaration can be drafted from the file; nothing is written then.
    DependencyUnavailable
        When git is missing, or the folder cannot be written.
    """
    try:
        return _create(folder, problem)
    except OSError as error:
        raise DependencyUnavailable(
            f"{folder}: cannot be written ({error.strerror}); name a folder that this user may write"
        ) from error


def _create(folder: Path, problem: ProblemFile | None) -> CreatedProject:
    has_repository = _has_repository(folder)
    if not folder.exists():
        with atomic_folder(folder) as prepared:
            draft = _prepare(prepared, folder.resolve().name, problem)
        return CreatedProject(folder, draft)
    if not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder")
    prepared = folder / _PREPARED
    if (prepared / _READY).exists():
        _put_in_place(folder)
        return CreatedProject(folder, None, is_resumed=True)
    _refuse_project(folder)
    shutil.rmtree(prepared, ignore_errors=True)
    try:
        draft = _prepare(prepared / "files", folder.resolve().name, problem)
        _refuse_overwriting(folder, preserved=_preserve_existing(folder))
        if has_repository:
            shutil.rmtree(prepared / "files" / ".git")
        write_text(prepared / _READY, "")
    except BaseException:
        shutil.rmtree(prepared, ignore_errors=True)
        raise
    _put_in_place(folder)
    return CreatedProject(folder, draft)


def _has_repository(folder: Path) -> bool:
    """Return whether `folder` is the root of a git repository.

    DVC and the lineage of versions need the root, so a folder inside of a repository is refused.
    """
    if shutil.which("git") is None:
        raise DependencyUnavailable("git is not on the PATH; install it: a project is a git repository")
    resolved = folder.resolve()
    existing = next(path for path in (resolved, *resolved.parents) if path.is_dir())
    root = run_git(existing, "rev-parse", "--show-toplevel")
    if root is None:
        return False
    if Path(root) != resolved:
        raise UsageError(f"{folder}: is inside of the git repository {root}; name a folder outside, or that root")
    return True


def _refuse_project(folder: Path) -> None:
    marker = next((path for path in _MARKERS if (folder / path).exists()), None)
    if marker is not None:
        raise Conflict(f"{folder}: is a project already (it has {marker}); run `mlops upgrade` in it, or name another")


def _prepare(folder: Path, name: str, problem: ProblemFile | None) -> DraftReport | None:
    """Write all files of a project into an empty folder."""
    for path, text in initial_files(name).items():
        write_text(folder / path, text)
    _init_repository(folder)
    draft = None
    if problem is not None:
        draft = _draft(folder, problem)
        write_text(folder / paths.CONF / "config.yaml", config_text(draft.name))
    write_params(folder, check=lambda _: None)  # the first stage checks the settings
    for scratch in _SCRATCH:
        shutil.rmtree(folder / scratch, ignore_errors=True)
    return draft


def _draft(folder: Path, problem: ProblemFile) -> DraftReport:
    try:
        return draft_declaration(local_names([problem.file], root=folder), target=problem.target, root=folder)
    except MlopsError as error:
        # The folder is removed, so the message names the file alone.
        error.args = (str(error).replace(f"{folder / paths.EXTERNAL}/", ""),)
        raise


def _init_repository(folder: Path) -> None:
    command = ["git", "init", "--quiet", "--initial-branch=main", "--template="]
    done = subprocess.run(  # noqa: S603 - fixed words
        command, cwd=folder, env=git_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DependencyUnavailable(f"git init failed: {done.stderr.strip()}")


def _preserve_existing(folder: Path) -> set[Path]:
    """Prepare no README where the folder has one, and put its .gitignore in front of ours; return their paths."""
    files = folder / _PREPARED / "files"
    preserved = {
        path for path in (_README, _GITIGNORE) if (folder / path).is_file() and not (folder / path).is_symlink()
    }
    if _README in preserved:
        (files / _README).unlink()
    if _GITIGNORE in preserved:
        text = (folder / _GITIGNORE).read_text(encoding="utf-8", errors="surrogateescape")
        known = set(text.splitlines())
        lines = [line for line in (files / _GITIGNORE).read_text(encoding="utf-8").splitlines() if line not in known]
        ours = "\n".join(lines)
        merged = f"{text.rstrip()}\n\n{ours.strip()}\n" if text.strip() else f"{ours}\n"
        (files / _GITIGNORE).write_text(merged, encoding="utf-8", errors="surrogateescape")
    return preserved


def _refuse_overwriting(folder: Path, *, preserved: set[Path]) -> None:
    prepared = [path for path in _prepared_files(folder) if path not in preserved]
    existing = [path for path in prepared if (folder / path).exists() or (folder / path).is_symlink()]
    if existing:
        listed = ", ".join(map(str, existing[:5])) + (f" and {len(existing) - 5} more" if len(existing) > 5 else "")
        raise Conflict(f"{folder}: would overwrite {listed}; nothing was written. Move them away, or name a new folder")


def _prepared_files(folder: Path) -> list[Path]:
    prepared = folder / _PREPARED / "files"
    paths_below = [path.relative_to(prepared) for path in sorted(prepared.rglob("*")) if not path.is_dir()]
    return [path for path in paths_below if path.parts[0] != ".git"]


def _put_in_place(folder: Path) -> None:
    """Rename each prepared file to its place; each step can be repeated after an interruption."""
    prepared = folder / _PREPARED
    for path in _prepared_files(folder):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (prepared / "files" / path).replace(folder / path)
    if (prepared / "files" / ".git").is_dir() and not (folder / ".git").exists():
        (prepared / "files" / ".git").replace(folder / ".git")
    shutil.rmtree(prepared / "files", ignore_errors=True)
    (prepared / _READY).unlink()
    prepared.rmdir()
