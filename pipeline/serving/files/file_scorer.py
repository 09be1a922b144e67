"""Score a file of any size in constant memory; a killed run resumes, and the output is complete or absent.

Rows are scored in tables of a fixed number of rows. Finished tables wait in a folder beside the output until all are
there; the number of rows that are scored at once changes no byte of the output. Three threads read the next table,
score the present one and write the one before at the same time.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline import files
from pipeline.config.groups.source_config import CsvDialect
from pipeline.errors import DataError, UsageError
from pipeline.serving.files.file_reader import TableValidator, count_file_rows, read_column_names, read_file_tables
from pipeline.serving.files.file_warnings import count_warnings
from pipeline.serving.files.prediction_file import PREDICTION_SUFFIXES, PredictionFile
from pipeline.serving.files.prediction_table import TABLE_ROWS, id_names, join_tables, predict_table, prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.serving.files.file_log import FilePredictionLog

__all__ = ["FileScoringResult", "score_file"]

_DEFAULT_DIALECT = CsvDialect()


@dataclass(frozen=True, slots=True)
class FileScoringResult:
    """The output, its number of rows, the number that an earlier run had scored, and the digest of the package.

    `warnings` has the number of rows with each warning, such as `plan: unseen`.
    """

    path: Path
    n_rows: int
    n_resumed: int
    digest: str
    warnings: Counter[str]


def score_file(
    package: Package,
    source: Path,
    target: Path,
    *,
    chunk_rows: int = TABLE_ROWS,
    dialect: CsvDialect = _DEFAULT_DIALECT,
    log: FilePredictionLog | None = None,
    escapes_formulas: bool = False,
    on_progress: Callable[[int, int | None], None] = lambda _done, _all: None,
) -> FileScoringResult:
    """Write the predictions of the rows of `source` to `target`, in their order.

    Columns of the output: those with the role id that the file has, as it has them, then `prediction`, `confidence`,
    `probability_<class>` for each class, and `warnings`.

    Parameters
    ----------
    package : Package
    source, target : Path
        CSV or Parquet, by their suffix; `target` is replaced at the end, as a whole.
    chunk_rows : int
        Rows that are scored at once; it bounds the memory and changes nothing else.
    dialect : CsvDialect, optional
        Of a CSV `source`.
    log : FilePredictionLog, optional
        Logs the predictions too, each row once; the output then has a column `prediction_id`.
    escapes_formulas : bool
        Whether a text of a CSV `target` that a spreadsheet would calculate gets an apostrophe before it.
    on_progress : callable
        Called with the number of scored rows and of all rows (None when that is unknown).

    Raises
    ------
    DataError
        When a row violates the schema; nothing is written then.
    UsageError
        When a file is neither CSV nor Parquet, or `chunk_rows` is below 1.
    """
    if target.suffix not in PREDICTION_SUFFIXES:
        raise UsageError(f"{target}: accepted are files that end with {' or '.join(PREDICTION_SUFFIXES)}")
    if chunk_rows < 1:
        raise UsageError(f"chunk_rows is {chunk_rows}; accepted is 1 or more")
    digest = _source_digest(source)
    log_model = None if log is None else log.model
    tables = _TableStore(target, _plan(package, source=digest, dialect=dialect, log_model=log_model))
    total = count_file_rows(source, package.schema)
    n_done = n_resumed = 0
    warnings: Counter[str] = Counter()
    with tables.open_output(escapes_formulas=escapes_formulas) as output:
        valid_tables = prefetch(_validated_tables(package, source, dialect))
        for number, (rows, scored) in enumerate(prefetch(_scored_tables(package, valid_tables, tables, chunk_rows))):
            if scored is None:
                n_resumed += rows.num_rows
            elif log is None:
                tables.add(number, scored)
            else:
                ids = log.append(rows, source_digest=digest, first_row=n_done + 1)
                tables.add(number, scored.append_column("prediction_id", pa.array(ids, pa.string())))
            output.write(tables.read(number))
            warnings += count_warnings(package, rows)
            n_done += rows.num_rows
            on_progress(n_done, total)
        if n_done == 0:
            raise DataError(f"{source} has no rows")
    tables.remove()
    return FileScoringResult(target, n_done, n_resumed, package.digest, warnings)


def _plan(package: Package, *, source: str, dialect: CsvDialect, log_model: str | None) -> dict[str, Any]:
    """Return what finished tables depend on; a run with another plan starts anew."""
    return {
        "source": source,
        "dialect": dialect.model_dump(mode="json", include=set(CsvDialect.model_fields)),
        "package": package.digest,
        "table_rows": TABLE_ROWS,
        "log": log_model,
    }


def _validated_tables(package: Package, source: Path, dialect: CsvDialect) -> Iterator[pa.Table]:
    validator = TableValidator(package.schema)
    n_rows = 0
    ids = id_names(package.schema, read_column_names(source, package.schema, dialect=dialect))
    tables = read_file_tables(source, package.schema, ids, dialect=dialect)
    for table in join_tables(tables, n_rows=TABLE_ROWS):
        validator.check(table, where=str(source), first_row=n_rows + 1)
        n_rows += table.num_rows
        yield table


def _scored_tables(
    package: Package, valid_tables: Iterator[pa.Table], finished: _TableStore, chunk_rows: int
) -> Iterator[tuple[pa.Table, pa.Table | None]]:
    """Yield each table with its scores, None where an earlier run has stored them."""
    for number, table in enumerate(valid_tables):
        if finished.has(number):
            yield table, None
            continue
        yield table, predict_table(package, table, chunk_rows=chunk_rows)


def _source_digest(source: Path) -> str:
    try:
        return files.sha256_file(source)
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error


class _TableStore:
    """Finished tables beside the output, valid for one source and one package."""

    def __init__(self, target: Path, plan: dict[str, Any]) -> None:
        self._target = target
        self._folder = target.with_name(f".{target.name}.tables")
        plan_path = self._folder / "plan.json"
        if not plan_path.exists() or files.read_json(plan_path) != plan:
            self.remove()
            files.write_json(plan_path, plan)

    def has(self, number: int) -> bool:
        return self._path(number).exists()

    def add(self, number: int, table: pa.Table) -> None:
        with (
            files.atomic_file(self._path(number)) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)

    def read(self, number: int) -> pa.Table:
        with pa.memory_map(str(self._path(number))) as stream:
            return pa.ipc.open_file(stream).read_all()

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def open_output(self, *, escapes_formulas: bool) -> Iterator[PredictionFile]:
        """Yield a writer of successive tables; the output appears when the block ends without an error."""
        with files.atomic_file(self._target) as temporary:
            is_parquet = self._target.suffix == ".parquet"
            with closing(
                PredictionFile(
                    temporary, is_parquet=is_parquet, group_rows=TABLE_ROWS, escapes_formulas=escapes_formulas
                )
            ) as output:
                yield output

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.arrow"
