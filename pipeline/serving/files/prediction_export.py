"""Export logged predictions and the reference rows of a version, as Parquet or CSV files."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline import files
from pipeline import state as store
from pipeline.serving.files.prediction_file import PredictionFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from pipeline.serving.files.flat_form import FlatForm
    from pipeline.state import State
    from pipeline.storage import StoragePath

__all__ = ["export_day", "export_reference"]

_DAY_US = 86_400_000_000
_GROUP_ROWS = 131_072
_TIMESTAMP = pa.timestamp("us", tz="UTC")
_TYPES = {
    "seq": pa.int64(),
    "predicted_at": _TIMESTAMP,
    "version": pa.int32(),
    "generation": pa.int64(),
    "confidence": pa.float64(),
    "latency_us": pa.int64(),
    "weight": pa.float64(),
}


def export_day(
    state: State,
    day: date,
    path: StoragePath,
    *,
    form: FlatForm | None = None,
    model: str | None = None,
    version: int | None = None,
) -> int:
    """Write the predictions of a day (UTC) with the last outcome of each, oldest first; return their number.

    Only this user can read a local file; the bucket decides who reads an object. Without a `form`, `features` and
    `probabilities` stay JSON. Equal rows give equal bytes; a day without predictions writes nothing.

    Parameters
    ----------
    state : State
    day : date
    path : StoragePath
        The suffix `.csv` gives CSV, any other one Parquet.
    form : FlatForm, optional
        Gives each feature a typed column.
    model, version : optional
        Limit the predictions to those of a model, and of one of its versions.

    Raises
    ------
    DataError
        When a prediction does not fit the form.
    DependencyUnavailable
        When the database cannot be read, the disk is full, or the object store is unavailable.
    """
    since = int(datetime.combine(day, time.min, UTC).timestamp()) * 1_000_000
    to_table = _table if form is None else form.log_table
    n_rows = 0
    with state.reading() as connection:
        batches = store.iter_predictions(connection, since=since, until=since + _DAY_US, model=model, version=version)
        rows = next(batches, None)
        if rows is None:
            return 0
        with _private_file(path) as written:
            while rows is not None:
                written.write(to_table(rows, store.latest_outcomes(connection, [row.prediction_id for row in rows])))
                n_rows += len(rows)
                rows = next(batches, None)
    return n_rows


def export_reference(form: FlatForm, root: Path, path: StoragePath) -> int:
    """Write the reference rows of a version in the form of its flat log; return their number.

    Raises
    ------
    DataError
        When the rows of the project at `root` are not those that the version was tested on.
    DependencyUnavailable
        When the disk is full, or the object store is unavailable.
    """
    tables = form.reference_tables(root)
    table = next(tables)
    n_rows = 0
    with _private_file(path) as written:
        while table is not None:
            written.write(table)
            n_rows += table.num_rows
            table = next(tables, None)
    return n_rows


@contextmanager
def _private_file(path: StoragePath) -> Iterator[PredictionFile]:
    """Yield a file that appears under its name when the block ends without an error."""
    if path.is_local:
        files.make_private_folder(path.local.parent)
    is_parquet = path.suffix != ".csv"
    with (
        path.writing(is_private=True) as temporary,
        closing(
            PredictionFile(temporary, is_parquet=is_parquet, group_rows=_GROUP_ROWS, escapes_formulas=False)
        ) as written,
    ):
        yield written


def _table(rows: Sequence[Any], outcomes: Mapping[str, str]) -> pa.Table:
    names = rows[0]._fields
    columns = {name: pa.array([getattr(row, name) for row in rows], _TYPES.get(name, pa.string())) for name in names}
    columns["outcome"] = pa.array([outcomes.get(row.prediction_id) for row in rows], pa.string())
    return pa.table(columns)
