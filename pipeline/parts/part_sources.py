"""Find the files of rows that an address names: one file, a folder, or a pattern."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from pipeline.errors import DataError
from pipeline.parts.part_commit import read_manifest
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.parts.part_plan import SourceFile

__all__ = ["find_source_files", "require_unchanged"]

_SUFFIXES = (".csv", ".parquet")


def find_source_files(addresses: Sequence[StoragePath]) -> list[StoragePath]:
    """Return the files of rows, each address replaced by its sorted files.

    Of a folder with a manifest, those that the manifest names; names that start with `_` or `.` are left out.

    Parameters
    ----------
    addresses : sequence of StoragePath
        Files, folders, or patterns with `*` in the last part.

    Raises
    ------
    DataError
        When an address has no file, or files are neither all CSV nor all Parquet.
    """
    found = [path for address in addresses for path in _files_of(address)]
    suffixes = sorted({path.suffix for path in found})
    if len(suffixes) > 1:
        raise DataError(
            f"{found[0].parent}: has files of several formats ({', '.join(suffixes)}); name one, as in *.csv"
        )
    return found


def require_unchanged(source: SourceFile) -> StoragePath:
    """Return the path of a planned file; a local one is compared by its size, an object by its ETag.

    Raises
    ------
    DataError
        When the file is gone, or is another one than was planned.
    """
    path = StoragePath.parse(source.address)
    try:
        is_same = path.n_bytes() == source.n_bytes and (path.is_local or path.version() == source.version)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; it was there when the job was planned") from error
    if not is_same:
        raise DataError(f"{path}: changed since the job was planned; plan it again with another output")
    return path


def _files_of(address: StoragePath) -> list[StoragePath]:
    if "*" in address.name:
        paths = [entry.path for entry in address.parent.list_files()]
        found = [path for path in paths if fnmatch.fnmatchcase(path.name, address.name) and _is_visible(path.name)]
        if not found:
            raise DataError(f"{address}: no file matches; expected files that end with {' or '.join(_SUFFIXES)}")
        return found
    if address.is_folder():
        return _files_in_folder(address)
    if not address.exists():
        raise DataError(f"{address}: no such file or folder")
    return [address]


def _files_in_folder(folder: StoragePath) -> list[StoragePath]:
    manifest = read_manifest(folder)
    if manifest is not None:
        names = [file["name"] for part in manifest["parts"] for file in part["files"]]
        found = [folder / name for name in names if (folder / name).suffix in _SUFFIXES]
    else:
        paths = [entry.path for entry in folder.list_files(recursive=True)]
        found = [path for path in paths if path.suffix in _SUFFIXES and _is_visible(path.path[len(folder.path) :])]
    if not found:
        raise DataError(f"{folder}: has no file that ends with {' or '.join(_SUFFIXES)}")
    return found


def _is_visible(name: str) -> bool:
    return not any(part.startswith(("_", ".")) for part in name.split("/"))
