"""Put a person's files where the graph looks for them, whole and never over something else by accident.

DVC keeps a copy and a small pointer file for git, so that queued experiments (which run in a folder of their
own) and colleagues find the rows as well.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import Conflict, DataError, DependencyUnavailable, UsageError
from pipeline.files import atomic_file, sha256_file
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ImportedFile", "find_imported_file", "import_file"]

_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """Where a file stands now and the pointer to it for git (None outside of a DVC project), and what was done."""

    path: str
    sha256: str
    status: Literal["added", "replaced", "unchanged"]
    pointer: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def import_file(file: Path, *, root: Path, replace: bool = False) -> ImportedFile:
    """Copy `file` into data/external/ below `root`.

    Raises
    ------
    UsageError
        When it is no readable file, or of a kind that no source reads.
    Conflict
        When another file of its name stands there already and `replace` is false.
    DependencyUnavailable
        When the disk is full; nothing is changed then.
    """
    _check_file_name(file)
    relative = paths.EXTERNAL / file.name
    target = root / relative
    digest = _source_sha256(file)
    if not target.exists():
        done: Literal["added", "replaced", "unchanged"] = "added"
    elif sha256_file(target) == digest:
        done = "unchanged"
    elif replace:
        done = "replaced"
    else:
        raise Conflict(f"{relative}: stands there already with other content; take --replace, or another file name")
    if done != "unchanged":
        _copy_verified(file, target, digest)
    return ImportedFile(relative.as_posix(), digest, done, _track_with_dvc(relative.as_posix(), root))


def find_imported_file(file: Path, *, root: Path) -> str:
    """Return where below `root` the graph has `file`: itself, or the copy that `add` made of it.

    Raises
    ------
    DataError
        When it is not there, or the copy has other content.
    """
    relative = paths.EXTERNAL / file.name
    target = root / relative
    if not target.is_file():
        raise DataError(f"{relative}: is not there; put it there with `mlops data add {file}`")
    if file.is_file() and not file.samefile(target) and sha256_file(file) != sha256_file(target):
        raise DataError(
            f"{relative}: is not the same as {file}; bring it up to date: `mlops data add {file} --replace`"
        )
    return relative.as_posix()


def _copy_verified(file: Path, target: Path, digest: str) -> None:
    with atomic_file(target) as temporary:
        shutil.copyfile(file, temporary)
        if sha256_file(temporary) != digest:
            raise Conflict(f"{file}: changed while it was copied; nothing was added. Run it again")


def _track_with_dvc(relative: str, root: Path) -> str | None:
    """Let DVC keep the file; return the path of its pointer."""
    if not (root / ".dvc").is_dir():
        return None
    command = [sys.executable, "-m", "dvc", "add", "--quiet", relative]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our words
    if answer.returncode != 0:
        said = " ".join(answer.stderr.split())[-300:]
        raise DependencyUnavailable(f"{relative}: is in place, but `dvc add {relative}` failed: {said}; run it again")
    return f"{relative}.dvc"


def _check_file_name(file: Path) -> None:
    if file.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{file}: sources read {', '.join(_SUFFIXES)}; write the rows as one of them")
    if not re.fullmatch(r"[^.\s/\\$][^/\\$\n]*", file.name):
        raise UsageError(f"{file}: give the file a name that does not begin with a dot or a blank and has no $ in it")


def _source_sha256(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    try:
        return sha256_file(file)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
