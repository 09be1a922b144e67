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

from pipeline.config.file_formats import COMPRESSION_SUFFIXES, ROW_SUFFIXES, file_format
from pipeline.errors import Conflict, DataError, DependencyUnavailable, UsageError
from pipeline.files import atomic_file, link_or_special_file, sha256_file
from pipeline.project import paths
from pipeline.project.dvc_messages import explain_dvc_error
from pipeline.text import matches_stars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "ImportedFile",
    "ImportedSource",
    "import_file",
    "import_source",
    "locate_imported_file",
    "match_names",
    "matches_pattern",
]


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


@dataclass(frozen=True, slots=True)
class ImportedSource:
    """Imported files: the value of `data.source.path` that declares them, and their paths, in its order."""

    path: str | tuple[str, ...]
    files: tuple[str, ...]


def import_source(files: Sequence[Path], *, root: Path) -> ImportedSource:
    """Import the files of one source, from anywhere; a pattern with * stays a pattern, so that later files count.

    Parameters
    ----------
    files : sequence of Path
        Files, or names below data/external/ of files that were imported before. One pattern may stand alone.
    root : Path
        The project's folder.

    Raises
    ------
    UsageError
        When a file cannot be read, the files have several formats, or nothing matches the pattern.
    Conflict, DependencyUnavailable
        As `import_file` does.
    """
    pattern = files[0].name if len(files) == 1 and "*" in str(files[0]) else None
    given = list(files) if pattern is None else _match_pattern(files[0], root)
    kinds = {found.kind: file for file in given if (found := file_format(file.name)) is not None}
    if len(kinds) > 1:
        first, second = list(kinds.values())[:2]
        raise UsageError(f"{first} and {second} have several formats; expected the files of one source in one format")
    imported = tuple(_import_or_find(file, root) for file in given)
    if len(set(imported)) < len(imported):
        raise UsageError("two of the files have one name; rename one of them, since data/external/ holds both")
    if pattern is not None:
        return ImportedSource((paths.EXTERNAL / pattern).as_posix(), imported)
    return ImportedSource(imported[0] if len(imported) == 1 else imported, imported)


def _match_pattern(pattern: Path, root: Path) -> list[Path]:
    """Return the files that match, sorted, in the folder of the pattern, or in data/external/ below `root`."""
    if "*" in str(pattern.parent):
        raise UsageError(f"{pattern}: expected * in the name of the files, not in that of a folder")
    for folder in (pattern.parent, root / paths.EXTERNAL):
        matching = [path for path in match_names(pattern.name, folder) if file_format(path.name) is not None]
        if matching:
            return matching
    raise UsageError(f"{pattern}: no file of rows matches; expected names that end with {', '.join(ROW_SUFFIXES)}")


def match_names(pattern: str, folder: Path) -> list[Path]:
    """Return the visible files of a folder whose names match, sorted; only * stands for other characters."""
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if matches_pattern(path.name, pattern)]


def matches_pattern(name: str, pattern: str) -> bool:
    """Return whether a visible file has a name that matches; only * stands for other characters."""
    return not name.startswith(".") and matches_stars(name, pattern)


def _import_or_find(file: Path, root: Path) -> str:
    """Return the path below `root` of a file, which is imported unless it was already."""
    relative = paths.EXTERNAL / file.name
    if not file.exists() and os.path.lexists(root / relative):
        return locate_imported_file(relative.as_posix(), root=root).relative_to(root).as_posix()
    below = file.absolute()
    external = (root / paths.EXTERNAL).absolute()
    if below.parent != external and below.is_relative_to(external):
        nested = (paths.EXTERNAL / below.relative_to(external)).as_posix()
        locate_imported_file(nested, root=root)
        return nested
    return import_file(file, root=root).path


def import_file(file: Path, *, root: Path, replace: bool = False, address: str | None = None) -> ImportedFile:
    """Copy `file` into data/external/ below `root`; messages name `address`, from which it is a copy, if given.

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
    _check_no_pending_changes(file)
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
        raise Conflict(
            f"{relative}: exists with other content than {address or file}; update it with `mlops data add"
            f" {address or file} --replace`, or rename the file"
        )
    if status != "unchanged":
        _copy_verified(file, target, digest)
    return ImportedFile(relative.as_posix(), digest, status, _track_with_dvc(relative.as_posix(), root))


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
    if file_format(file.name) is None:
        raise UsageError(
            f"{file}: no source reads this format; expected a name that ends with {', '.join(ROW_SUFFIXES)}, text also"
            f" with {', '.join(COMPRESSION_SUFFIXES)} after it. Save or export the file as one of them"
        )
    if not re.fullmatch(r"[^.\s/\\$*][^/\\$*\n]*", file.name):
        raise UsageError(
            f"{file}: rename the file; its name must not begin with a dot or a blank, and must not contain $ or *"
        )


def _check_no_pending_changes(file: Path) -> None:
    """Refuse a database file of which a program has written changes only to the journal beside it."""
    for journal in (file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}.wal")):
        if journal.is_file() and journal.stat().st_size:
            raise UsageError(
                f"{file}: {journal.name} holds changes that are not in the file yet; close the programs that use the"
                " database, then run the command again"
            )


def _source_sha256(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    try:
        return sha256_file(file)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
