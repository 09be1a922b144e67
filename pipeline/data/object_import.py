"""Bring files of rows from where a user names them, also from object stores, into data/external/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.file_import import import_file
from pipeline.data.source_objects import is_address, list_objects, open_source_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.data.file_import import ImportedFile

__all__ = ["import_named_files", "local_names"]


def import_named_files(names: Sequence[str], *, root: Path, replace: bool = False) -> list[ImportedFile]:
    """Copy local files and objects into data/external/ below `root`.

    Parameters
    ----------
    names : sequence of str
        Local paths and addresses; the last part of an address may have *.
    root : Path
    replace : bool
        Whether to overwrite an imported file of the same name.

    Raises
    ------
    DataError
        When there is no such object.
    DependencyUnavailable
        When an object store is unavailable, or the disk is full.
    UsageError, Conflict
        As `import_file` does.
    """
    imported = []
    for name in names:
        for each in list_objects(name) if is_address(name) else [name]:
            with open_source_file(each, root=Path()) as path:
                address = each if is_address(each) else None
                imported.append(import_file(path, root=root, replace=replace, address=address))
    return imported


def local_names(names: Sequence[str], *, root: Path) -> list[Path]:
    """Return the names as local paths; an object is imported first, so its path is one below data/external/.

    Raises
    ------
    DataError, DependencyUnavailable, UsageError, Conflict
        As `import_named_files` does.
    """
    paths: list[Path] = []
    for name in names:
        if is_address(name):
            paths += [root / file.path for file in import_named_files([name], root=root)]
        else:
            paths.append(Path(name))
    return paths
