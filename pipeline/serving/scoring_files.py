"""Score a file of any size in constant memory: the work of a killed run is taken up, and nothing is half written.

Rows are scored in parts of a fixed number of rows. Each finished part lies in a folder beside the output until
all are there; how many rows are scored at once changes nothing of what is written.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv
from pyarrow import parquet as pq

from pipeline import files
from pipeline.classifier import decide
from pipeline.data.cells import to_frame
from pipeline.errors import DataError, UsageError
from pipeline.serving.file_log import row_ids
from pipeline.serving.file_rows import ValueChecks, column_names, file_tables, n_rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.serving.file_log import FileLog

__all__ = ["PART_ROWS", "FileScores", "score_file"]

PART_ROWS = 131_072
_FORMS = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class FileScores:
    """What was written: rows, those that an earlier run had scored already, and the digest of the package."""

    path: Path
    n_rows: int
    n_resumed: int
    digest: str


def score_file(
    package: Package,
    source: Path,
    target: Path,
    *,
    chunk_rows: int = PART_ROWS,
    log: FileLog | None = None,
    told: Callable[[int, int | None], None] = lambda _done, _all: None,
) -> FileScores:
    """Write the predictions of the rows of `source` to `target`, in their order.

    Columns of the output: those with the role id that the file has, then `prediction`, `confidence`, and
    `probability_<class>` for each class.

    Parameters
    ----------
    package : Package
    source, target : Path
        CSV or Parquet, by their endings; `target` is replaced at the end, whole or not at all.
    chunk_rows : int
        Rows that are scored at once; it bounds the memory, and changes nothing else.
    log : FileLog, optional
        Where the predictions are kept as well, each row once; the output then has a column `prediction_id` too.
    told : callable
        Called with the rows that are done and all rows (None when that is not known).

    Raises
    ------
    DataError
        When a row is not what the schema declares; nothing is written then.
    UsageError
        When a file is neither CSV nor Parquet, or `chunk_rows` is below 1.
    """
    if target.suffix not in _FORMS:
        raise UsageError(f"{target}: accepted are files that end with {' or '.join(_FORMS)}")
    if chunk_rows < 1:
        raise UsageError(f"chunk rows: {chunk_rows} is too few; give 1 or more")
    checks = ValueChecks(package.schema, where=str(source))
    digest = _digest(source)
    plan = {"source": digest, "package": package.digest, "part_rows": PART_ROWS, "is_logged": log is not None}
    parts = _Parts(target, plan)
    total = n_rows_of(source)
    n_done = n_resumed = 0
    for at, part in enumerate(_parts_of(package, source)):
        if parts.has(at):
            n_resumed += part.num_rows
        else:
            checks.check(part, first_row=n_done + 1)
            chunks = [_chunk(package, part.slice(start, chunk_rows)) for start in range(0, part.num_rows, chunk_rows)]
            scored = pa.concat_tables(chunks).combine_chunks()
            if log is not None:
                ids = row_ids(digest, package.digest, n_done + 1, part.num_rows)
                log.keep(part, ids)
                scored = scored.append_column("prediction_id", pa.array(ids, pa.string()))
            parts.add(at, scored)
        n_done += part.num_rows
        told(n_done, total)
    if n_done == 0:
        raise DataError(f"{source}: has no rows")
    parts.assemble()
    return FileScores(target, n_done, n_resumed, package.digest)


def _digest(source: Path) -> str:
    try:
        return files.sha256_file(source)
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error


def _ids(package: Package, source: Path) -> tuple[str, ...]:
    there = column_names(source)
    return tuple(column.name for column in package.schema.columns if column.role == "id" and column.name in there)


def _parts_of(package: Package, source: Path) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    n_rows = 0
    for table in file_tables(source, package.schema, _ids(package, source)):
        waiting.append(table)
        n_rows += table.num_rows
        while n_rows >= PART_ROWS:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, PART_ROWS).combine_chunks()
            waiting, n_rows = [whole.slice(PART_ROWS)], n_rows - PART_ROWS
    if n_rows:
        yield pa.concat_tables(waiting).combine_chunks()


def _chunk(package: Package, rows: pa.Table) -> pa.Table:
    probabilities = package.predict_proba(to_frame(rows))
    labels = decide(probabilities, package.schema.target, package.threshold)
    codes = np.zeros(len(labels), dtype=np.int64)
    for code, name in enumerate(package.classes):
        codes[labels == name] = code
    columns: dict[str, Any] = {
        column.name: rows.column(column.name)
        for column in package.schema.columns
        if column.role == "id" and column.name in rows.column_names
    }
    columns["prediction"] = pa.array(labels, pa.string())
    columns["confidence"] = probabilities[np.arange(len(codes)), codes]
    for code, name in enumerate(package.classes):
        columns[f"probability_{name}"] = np.ascontiguousarray(probabilities[:, code])
    return pa.table(columns)


class _Parts:
    """Finished parts beside the output, valid for one source and one package."""

    def __init__(self, target: Path, plan: dict[str, Any]) -> None:
        self._target = target
        self._folder = target.with_name(f".{target.name}.parts")
        known = self._folder / "plan.json"
        if not known.exists() or files.read_json(known) != plan:
            shutil.rmtree(self._folder, ignore_errors=True)
            files.write_json(known, plan)
        self._n = 0

    def has(self, at: int) -> bool:
        self._n = max(self._n, at + 1)
        return self._path(at).exists()

    def add(self, at: int, table: pa.Table) -> None:
        with (
            files.new_file(self._path(at)) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)

    def assemble(self) -> None:
        with files.new_file(self._target) as temporary:
            self._write(temporary)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, path: Path) -> None:
        schema = self._read(0).schema
        if self._target.suffix == ".parquet":
            with pq.ParquetWriter(path, schema, compression="zstd", version="2.6") as writer:
                for at in range(self._n):
                    writer.write_table(self._read(at), row_group_size=PART_ROWS)
            return
        options = csv.WriteOptions(quoting_style="needed")
        with csv.CSVWriter(path, schema, write_options=options) as lines:
            for at in range(self._n):
                lines.write_table(self._read(at))

    def _read(self, at: int) -> pa.Table:
        with pa.OSFile(str(self._path(at)), "rb") as stream:
            return pa.ipc.open_file(stream).read_all()

    def _path(self, at: int) -> Path:
        return self._folder / f"{at:06d}.arrow"
