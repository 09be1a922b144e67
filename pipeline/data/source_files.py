"""Find the files of a declared source, and read their rows."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.data.cell_parsers import to_frame
from pipeline.data.coercion import coerce_table
from pipeline.data.csv_reader import read_csv, text_formats
from pipeline.data.file_import import locate_imported_file, match_names
from pipeline.data.formats.readers import open_typed_file
from pipeline.data.source_objects import (
    check_graph_lists,
    is_address,
    list_objects,
    object_version,
    open_source_file,
)
from pipeline.errors import DataError, did_you_mean
from pipeline.files import sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.data_config import DataConfig
    from pipeline.config.groups.source_config import FileSource
    from pipeline.data.formats.typed_file import TypedFile
    from pipeline.schema import Schema

__all__ = [
    "check_names",
    "check_source_files",
    "fingerprint_files",
    "list_source_files",
    "read_file_rows",
    "read_source_files",
]

_POINTER_SUFFIX = ".dvc"


def list_source_files(source: FileSource, *, root: Path) -> list[str]:
    """Return the paths below `root` and the addresses of a source, each pattern replaced by its sorted files.

    Raises
    ------
    DataError
        When a file is missing, a link, a pipe or a device, or a pattern has no file.
    DependencyUnavailable
        When an object store is unavailable.
    """
    listed: dict[str, None] = {}
    for pattern in source.patterns:
        if is_address(pattern):
            listed |= dict.fromkeys(list_objects(pattern))
            continue
        names = _matching_names(pattern, root, pulled=True) if "*" in pattern else [pattern]
        if not names:
            raise DataError(f"data.source.path: no file matches {pattern}; import one with `mlops data add FILE`")
        for name in names:
            locate_imported_file(name, root=root)
        listed |= dict.fromkeys(names)
    return list(listed)


def check_source_files(source: FileSource, *, root: Path) -> None:
    """Refuse a source whose files the project lacks; a file that DVC tracks may be pulled later. No store is asked.

    Raises
    ------
    DataError
        As `list_source_files` does.
    ConfigError
        When the graph does not list an object, so that it would not see a change.
    """
    check_graph_lists([pattern for pattern in source.patterns if is_address(pattern)], root=root)
    for pattern in source.patterns:
        if is_address(pattern):
            continue
        names = _matching_names(pattern, root, pulled=False) if "*" in pattern else [pattern]
        if not names:
            raise DataError(f"data.source.path: no file matches {pattern}; import one with `mlops data add FILE`")
        for name in names:
            path = root / name
            if path.is_symlink() or path.exists() or not (root / f"{name}{_POINTER_SUFFIX}").is_file():
                locate_imported_file(name, root=root)


def _matching_names(pattern: str, root: Path, *, pulled: bool) -> list[str]:
    """Return the files that match, sorted; with `pulled` false also those of which only the pointer is there."""
    folder = PurePosixPath(pattern).parent
    name = PurePosixPath(pattern).name
    files = {path.name for path in match_names(name, root / folder) if path.suffix != _POINTER_SUFFIX}
    if not pulled:
        pointers = match_names(name + _POINTER_SUFFIX, root / folder)
        files |= {path.name.removesuffix(_POINTER_SUFFIX) for path in pointers}
    return [str(folder / name) for name in sorted(files)]


def read_source_files(source: FileSource, schema: Schema, config: DataConfig, *, root: Path) -> pd.DataFrame:
    """Return the rows of all files of `source`, that of `config`, as declared.

    Raises
    ------
    DataError
        When a file differs from the declaration; its message names the file.
    """
    import pandas as pd

    frames = []
    for name in list_source_files(source, root=root):
        with open_source_file(name, root=root) as path:
            frames.append(read_file_rows(path, schema, config, where=name))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def read_file_rows(path: Path, schema: Schema, config: DataConfig, *, where: str) -> pd.DataFrame:
    """Return the declared columns and the target of one file in any format, with their dtypes.

    Parameters
    ----------
    path : Path
    schema : Schema
    config : DataConfig
        The keys of its source count for each file of the same format.
    where : str
        Name of the file in errors.

    Raises
    ------
    DataError
        When it is not readable, lacks a column, or has one of another type.
    """
    file = open_typed_file(path, config.format_keys)
    if file is None:
        return read_csv(path, schema, config.csv_dialect)
    formats = text_formats(schema)
    check_names(formats, file, where=where)
    notes = schema.private_notes
    tables: list[pa.Table] = []
    n_rows = 0
    for table in file.read(list(formats)):
        coerced = coerce_table(
            table, formats, where=where, private_notes=notes, holds_cells=file.holds_cells, first_row=n_rows + 1
        )
        n_rows += table.num_rows
        tables.append(coerced)
    if not n_rows:
        raise DataError(f"{where}: has no rows; expected at least one")
    return to_frame(pa.concat_tables(tables))


def check_names(names: Iterable[str], file: TypedFile, *, where: str) -> None:
    """Raise if a file lacks one of `names`, or does not hold plain values in it.

    Raises
    ------
    DataError
        With one line for each name.
    """
    lines = []
    for name in names:
        if name in file.set_aside:
            lines.append(f"{where}: {name}: holds {file.set_aside[name]}; take it out of data.columns")
        elif name not in file.names:
            hint = did_you_mean(name, file.names)
            lines.append(f"{where}: {name}: missing; the source has: {', '.join(file.names[:20])}{hint}")
    if lines:
        raise DataError("\n".join([*lines, f"{where}: nothing was read; correct the source or its declaration"]))


def fingerprint_files(source: FileSource, *, root: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a source by its path, and the ETag of each object by its address."""
    return {
        name: object_version(name) if is_address(name) else sha256_file(root / name)
        for name in list_source_files(source, root=root)
    }
