"""Export logged predictions as Parquet, one day at a time."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet as pq

from pipeline import files
from pipeline import state as store

if TYPE_CHECKING:
    from datetime import date

    from pipeline.state import State
    from pipeline.storage import StoragePath

__all__ = ["export_day"]

_DAY_US = 86_400_000_000
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


def export_day(state: State, day: date, path: StoragePath) -> int:
    """Write the predictions of a day (UTC) with the last outcome of each, oldest first; return their number.

    Only this user can read a local file; the bucket decides who reads an object. `features` and `probabilities` stay
    JSON.
    Equal rows give equal bytes; a day without predictions writes nothing.

    Raises
    ------
    DependencyUnavailable
        When the database cannot be read, the disk is full, or the object store is unavailable.
    """
    since = int(datetime.combine(day, time.min, UTC).timestamp()) * 1_000_000
    n_rows = 0
    with state.reading() as connection:
        batches = store.iter_predictions(connection, since=since, until=since + _DAY_US)
        first = next(batches, None)
        if first is None:
            return 0
        if path.is_local:
            files.make_private_folder(path.local.parent)
        with path.writing(is_private=True) as temporary:
            table = _table(first, store.latest_outcomes(connection, [row.prediction_id for row in first]))
            with pq.ParquetWriter(temporary, table.schema, compression="zstd", version="2.6") as writer:
                writer.write_table(table)
                n_rows += len(first)
                for rows in batches:
                    outcomes = store.latest_outcomes(connection, [row.prediction_id for row in rows])
                    writer.write_table(_table(rows, outcomes))
                    n_rows += len(rows)
    return n_rows


def _table(rows: list[Any], outcomes: dict[str, str]) -> pa.Table:
    names = rows[0]._fields
    columns = {name: pa.array([getattr(row, name) for row in rows], _TYPES.get(name, pa.string())) for name in names}
    columns["outcome"] = pa.array([outcomes.get(row.prediction_id) for row in rows], pa.string())
    return pa.table(columns)
