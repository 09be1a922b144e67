"""Find the files of rows that an address names: one file, a folder, or a pattern."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import DataError, UsageError
from pipeline.parts.part_commit import MANIFEST_NAME, read_manifest
from pipeline.parts.part_plan import PLAN_NAME
from pipeline.storage import StoragePath
from pipeline.text import matches_stars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from pipeline.parts.part_plan import SourceFile

__all__ = ["find_source_files", "require_outside", "require_unchanged", "unchanged_source"]

_SUFFIXES = (".csv", ".parquet")


def find_source_files(addresses: Sequence[StoragePath]) -> list[StoragePath]:
    """Return the files of rows, each address replaced by its sorted files.

    Of a folder with a manifest, at any depth, those that the manifest names; names that start with `_` or `.` are left
    out.

    Parameters
    ----------
    addresses : sequence of StoragePath
        Files, folders, or patterns with `*` in the last part.

    Raises
    ------
    DataError
        When an address has no file, two names are the same file, a folder has a job without a manifest, or files
        are neither all CSV nor all Parquet.
    """
    found = [path for address in addresses for path in _files_of(address)]
    _require_once(found)
    suffixes = sorted({path.suffix for path in found})
    if len(suffixes) > 1:
        subject = ", ".join(map(str, addresses))
        raise DataError(f"{subject}: has files of several formats ({', '.join(suffixes)}); name one, as in *.csv")
    return found


def _require_once(paths: Sequence[StoragePath]) -> None:
    """Refuse a file that two addresses or links name, because its rows would count twice."""
    seen: dict[StoragePath, StoragePath] = {}
    for path in paths:
        file = path.resolved()
        if file in seen:
            raise DataError(f"{path}: is the same file as {seen[file]}, and its rows would count twice; name it once")
        seen[file] = path


def require_outside(output: StoragePath, addresses: Sequence[StoragePath]) -> None:
    """Refuse an output folder whose files a second run would take for inputs.

    Raises
    ------
    UsageError
        When an address is, or has, the output folder, or a file of it.
    """
    for address in addresses:
        if _overlaps(output.absolute(), address.absolute()) or _overlaps(output.resolved(), address.resolved()):
            raise UsageError(
                f"-o {output}: lies in the input {address}, so another run would read its own output; choose a folder"
                " beside the input"
            )


def _overlaps(output: StoragePath, source: StoragePath) -> bool:
    is_inside = output == source or output.path.startswith(f"{source.path}/")
    return output.scheme == source.scheme and (is_inside or source.parent == output)


def require_unchanged(source: SourceFile) -> StoragePath:
    """Return the path of a planned file; one that was written since is compared by its content.

    Raises
    ------
    DataError
        When the file is gone, or is another one than was planned.
    """
    path = StoragePath.parse(source.address)
    try:
        is_untouched = path.is_local and path.local.stat().st_mtime_ns == source.modified_ns
        is_same = path.n_bytes() == source.n_bytes and (is_untouched or path.version() == source.version)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; it was there when the job was planned") from error
    if not is_same:
        raise DataError(f"{path}: changed since the job was planned; plan it again with another output")
    return path


@contextmanager
def unchanged_source(source: SourceFile) -> Iterator[StoragePath]:
    """Yield the path of a planned file, which is compared once more after the block.

    Ranges of a file that is replaced meanwhile come from two versions of it.

    Raises
    ------
    DataError
        As `require_unchanged` does.
    """
    path = require_unchanged(source)
    yield path
    require_unchanged(source)


def _files_of(address: StoragePath) -> list[StoragePath]:
    if "*" in address.name and not address.exists():
        return _matching_files(address)
    if address.is_folder():
        return _files_in_folder(address)
    if not address.exists():
        raise DataError(f"{address}: no such file or folder")
    return [address]


def _matching_files(address: StoragePath) -> list[StoragePath]:
    """Return the files of a pattern; `*` alone has a meaning, so that brackets in names do not surprise."""
    names = [*(entry.path.name for entry in address.parent.list_files()), *_broken_links(address.parent, "*")]
    found = [address.parent / name for name in sorted(names) if matches_stars(name, address.name) and _is_visible(name)]
    if not found:
        raise DataError(f"{address}: no file matches; expected files that end with {' or '.join(_SUFFIXES)}")
    return found


def _files_in_folder(folder: StoragePath) -> list[StoragePath]:
    manifest = read_manifest(folder)
    found = _listed_files(folder) if manifest is None else _named_files(folder, manifest)
    if not found:
        raise DataError(f"{folder}: has no file that ends with {' or '.join(_SUFFIXES)}")
    return found


def _named_files(folder: StoragePath, manifest: Mapping[str, Any]) -> list[StoragePath]:
    names = [file["name"] for part in manifest["parts"] for file in part["files"]]
    return [folder / name for name in names if _is_of_rows(folder / name)]


def _listed_files(folder: StoragePath) -> list[StoragePath]:
    """Return the files below a folder; below it, of an output folder those that its manifest names."""
    paths = [entry.path for entry in folder.list_files(recursive=True)]
    paths = sorted([*paths, *(folder / name for name in _broken_links(folder, "**/*"))])
    outputs = {path.parent for path in paths if path.name in (PLAN_NAME, MANIFEST_NAME)}
    named: set[StoragePath] = set()
    for output in outputs:
        manifest = read_manifest(output)
        if manifest is None:
            raise DataError(
                f"{output}: has the parts of a job that is not committed; run its command again, or remove the folder"
            )
        named.update(_named_files(output, manifest))
    visible = [path for path in paths if _is_of_rows(path) and _is_visible(path.path[len(folder.path) :])]
    return [path for path in visible if path.parent not in outputs or path in named]


def _broken_links(folder: StoragePath, pattern: str) -> list[str]:
    """Return the names of links to nothing below a local folder, which a listing leaves out; their reader refuses."""
    if not folder.is_local:
        return []
    links = (path for path in folder.local.glob(pattern) if path.is_symlink() and not path.exists())
    return [path.relative_to(folder.local).as_posix() for path in links]


def _is_of_rows(path: StoragePath) -> bool:
    return path.suffix.lower() in _SUFFIXES  # one in capitals is refused by name, not left out


def _is_visible(name: str) -> bool:
    return not any(part.startswith(("_", ".")) for part in name.split("/"))
