"""Describe the files of a job in parts, and open the rows of one part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.csv_reader import count_csv_rows
from pipeline.data.formats.arrow_files import open_parquet
from pipeline.data.row_dialect import choose_file_dialect
from pipeline.errors import DataError, UnreadableFile, UsageError
from pipeline.parts import SourceFile, unchanged_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.formats.typed_file import TypedFile
    from pipeline.parts import Part, PartPlan
    from pipeline.storage import StoragePath

__all__ = ["PartRows", "describe_sources", "open_part"]

_N_THREADS = 8  # digests and requests to a store release the interpreter's lock


@dataclass(frozen=True, slots=True)
class PartRows:
    """The rows of a part.

    Attributes
    ----------
    address : str
        Name of the file in errors.
    file : TypedFile or Path
        The row groups of a Parquet file, or the local path of a CSV file.
    """

    address: str
    file: TypedFile | Path


def describe_sources(
    paths: Sequence[StoragePath], dialect: CsvDialect, *, accepted_names: Collection[str]
) -> list[SourceFile]:
    """Return what a plan says of each file; a CSV file is read once, to count its rows.

    Parameters
    ----------
    paths : sequence of StoragePath
    dialect : CsvDialect
        Of CSV files.
    accepted_names : collection of str
        Declared columns, by which the dialect of a CSV file is recognized.

    Raises
    ------
    DataError
        When a file cannot be read.
    UsageError
        When it is neither CSV nor Parquet.
    """
    describe = partial(_describe, dialect=dialect, accepted_names=accepted_names)
    with ThreadPoolExecutor(_N_THREADS) as pool:
        return list(pool.map(describe, [path.absolute() for path in paths]))


def _describe(path: StoragePath, *, dialect: CsvDialect, accepted_names: Collection[str]) -> SourceFile:
    try:
        modified_ns = path.local.stat().st_mtime_ns if path.is_local else 0
        version, n_bytes = path.version(), path.n_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    return SourceFile(str(path), version, n_bytes, _group_rows(path, dialect, accepted_names), modified_ns)


def _group_rows(path: StoragePath, dialect: CsvDialect, accepted_names: Collection[str]) -> tuple[int, ...]:
    if path.suffix == ".csv":
        with _local_csv(path) as local:
            return (count_csv_rows(local, choose_file_dialect(local, dialect, accepted_names)),)
    if path.suffix != ".parquet":
        raise UsageError(f"{path}: is read in parts only as CSV or Parquet; expected a name that ends with one of both")
    try:
        with path.open_input() as stream:
            metadata = pq.ParquetFile(stream).metadata
    except (pa.ArrowException, OSError) as error:
        path.require_available(error)
        detail = " ".join(str(error).split())[:200]
        raise UnreadableFile(f"{path}: is no readable Parquet file ({detail}); get the file again") from error
    return tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))


@contextmanager
def _local_csv(path: StoragePath) -> Iterator[Path]:
    """Yield a local copy of a file; errors name the file, not the copy."""
    with path.local_copy() as local:
        try:
            yield local
        except DataError as error:
            if path.is_local:
                raise
            raise type(error)(str(error).replace(str(local), str(path))) from error


@contextmanager
def open_part(plan: PartPlan, part: Part) -> Iterator[PartRows]:
    """Yield the rows of a part; an object in a store is read by range, a CSV file there is copied first.

    Raises
    ------
    DataError
        When the file is gone, or is another one than was planned.
    """
    with unchanged_source(plan.source_of(part)) as path:
        if path.suffix == ".parquet":
            groups = range(part.first_group, part.end_group)
            yield PartRows(str(path), open_parquet(path, groups=groups))
        else:
            with _local_csv(path) as local:
                yield PartRows(str(path), local)
