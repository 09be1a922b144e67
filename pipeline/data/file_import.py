"""Copy files of a user into data/external/, atomically, and track them with DVC.

DVC stores a copy and writes a small pointer file for git, so that queued experiments, which run in folders of
their own, and other clones find the rows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from pipeline.config.declared_files import ROW_SUFFIXES
from pipeline.errors import Conflict, DataError, DependencyUnavailable, UsageError
from pipeline.files import atomic_file, link_or_special_file, sha256_file
from pipeline.project import paths
from pipeline.project.dvc_messages import explain_dvc_error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ImportedFile", "find_imported_file", "import_file", "locate_imported_file"]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """The path of an imported file, its status, and its pointer for git (None outside a DVC project)."""

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
        When the file cannot be read, or no source reads its format.
    Conflict
        When another file has its name and `replace` is false, or a link is in its place.
    DependencyUnavailable
        When the disk is full; nothing changes then.
    """
    _check_file_name(file)
    relative = paths.EXTERNAL / file.name
    target = root / relative
    digest = _source_sha256(file)
    _check_target(relative, root)
    if not target.exists():
        status: Literal["added", "replaced", "unchanged"] = "added"
    elif sha256_file(target) == digest:
        status = "unchanged"
    elif replace:
        status = "replaced"
    else:
        raise Conflict(f"{relative}: exists with other content; use --replace or another file name")
    if status != "unchanged":
        _copy_verified(file, target, digest)
    return ImportedFile(relative.as_posix(), digest, status, _track_with_dvc(relative.as_posix(), root))


def find_imported_file(file: Path, *, root: Path) -> str:
    """Return the path below `root` of `file` itself, or of the copy that `import_file` made of it.

    Raises
    ------
    DataError
        When there is none, the copy has other content, or it is a link, a pipe or a device.
    """
    relative = paths.EXTERNAL / file.name
    target = root / relative
    if not os.path.lexists(target):
        raise DataError(f"{relative}: not found; import it with `mlops data add {file}`")
    locate_imported_file(relative.as_posix(), root=root)
    if file.is_file() and not file.samefile(target) and sha256_file(file) != sha256_file(target):
        raise DataError(f"{relative}: differs from {file}; update it with `mlops data add {file} --replace`")
    return relative.as_posix()


def locate_imported_file(relative: str, *, root: Path) -> Path:
    """Return the path of a declared file below `root`, which is opened only after this check.

    A hard link is the file itself, so it is accepted; git cannot carry one into the project.

    Raises
    ------
    DataError
        When it is missing, a link, a folder, a pipe or a device, or below a linked folder. The message holds no
        content.
    """
    path = root / relative
    if not os.path.lexists(path):
        raise DataError(f"data.source.path: {relative} not found; import it with `mlops data add FILE`")
    _check_parts(relative, root)
    if (reason := link_or_special_file(path)) is not None:
        raise DataError(f"{relative}: {reason}, such as `mlops data add FILE` makes")
    return path


def _check_parts(relative: str, root: Path) -> None:
    """Raise if a folder above the file leads elsewhere."""
    folders = [*PurePosixPath(relative).parents][-2::-1]
    for folder in folders:
        if (reason := link_or_special_file(root / folder, folder=True)) is not None:
            raise DataError(f"{relative}: the folder {folder} {reason}")


def _check_target(relative: Path, root: Path) -> None:
    for part in (relative.parent.parent, relative.parent):
        if os.path.lexists(root / part) and (reason := link_or_special_file(root / part, folder=True)) is not None:
            raise Conflict(f"{part.as_posix()} {reason}")
    if os.path.lexists(root / relative) and (reason := link_or_special_file(root / relative)) is not None:
        raise Conflict(f"{relative}: {reason}; remove it and run `mlops data add` again")


def _copy_verified(file: Path, target: Path, digest: str) -> None:
    with atomic_file(target) as temporary:
        shutil.copyfile(file, temporary)
        if sha256_file(temporary) != digest:
            raise Conflict(f"{file}: changed while it was copied; nothing was added. Run it again")


def _track_with_dvc(relative: str, root: Path) -> str | None:
    """Track the file with DVC; return the path of its pointer."""
    if not (root / ".dvc").is_dir():
        return None
    command = [sys.executable, "-m", "dvc", "add", relative]
    completed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if completed.returncode != 0:
        raise DependencyUnavailable(f"{relative}: copied, but not tracked: {explain_dvc_error(completed.stderr)}")
    return f"{relative}.dvc"


def _check_file_name(file: Path) -> None:
    if file.suffix.lower() not in ROW_SUFFIXES:
        raise UsageError(f"{file}: sources read {', '.join(ROW_SUFFIXES)}; convert the file to one of them")
    if not re.fullmatch(r"[^.\s/\\$][^/\\$\n]*", file.name):
        raise UsageError(
            f"{file}: rename the file; its name must not begin with a dot or a blank, and must not contain $"
        )


def _source_sha256(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    try:
        return sha256_file(file)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
