"""Read the rows of a labeled snapshot and of the source before it, each with its weight by age."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.config.groups.data_config import LABELED_WEIGHT
from pipeline.data.cell_parsers import ARROW_TYPES
from pipeline.data.coercion import coerce_to_schema
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.source_config import LabeledSource
    from pipeline.schema import Schema

    Floats = NDArray[np.float64]

__all__ = [
    "AT",
    "KEY",
    "ORIGIN",
    "WEIGHT",
    "SnapshotRows",
    "history_schema",
    "read_snapshot",
    "read_with_history",
    "snapshot_end",
]

# Columns of a snapshot beside the features and the target; no declared column has such a name by accident.
AT = "snapshot_at"  # when the row was predicted
WEIGHT = LABELED_WEIGHT  # how many predictions of a sampled log the row represents
ORIGIN = "snapshot_origin"  # who sent the outcome
KEY = "snapshot_key"  # identifier of the prediction
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class SnapshotRows:
    """Rows of a snapshot as declared, when each was predicted (microseconds since 1970) and how many rows it is."""

    frame: pd.DataFrame
    at: NDArray[np.int64]
    weight: Floats


def read_with_history(
    source: LabeledSource, schema: Schema, *, root: Path, read_history: Callable[[Schema], pd.DataFrame] | None
) -> pd.DataFrame:
    """Return the rows of the snapshot, before them those of the history, with the weight of each.

    A row has half the weight of the newest one where it is `half_life_days` older. The rows of the history are as old
    as `history_at`, otherwise as the first labeled row.

    Parameters
    ----------
    source : LabeledSource
    schema : Schema
        Its column with the role weight gets the weights.
    root : Path
        The folder of the project.
    read_history : callable or None
        Returns the rows of the history as a schema declares them.

    Raises
    ------
    ConfigError
        When a column that the log does not have must not be missing.
    DataError
        When the snapshot lacks a feature, or a value does not have its type.
    """
    import pandas as pd

    snapshot = read_snapshot(root / source.path, schema, where=source.path)
    name = schema.weight_name
    assert name is not None  # noqa: S101 - DataConfig adds one
    newest = int(snapshot.at.max())
    weight = snapshot.weight * _decay(newest - snapshot.at, source.half_life_days)
    frame = snapshot.frame.assign(**{name: pd.array(weight, "Float64")})
    if read_history is None:
        return frame
    history = read_history(history_schema(schema))
    history_at = int(snapshot.at.min()) if source.history_at is None else _to_us(source.history_at)
    decay = _decay(np.array([max(newest - history_at, 0)]), source.half_life_days)[0]
    own = history[name].astype("Float64") if name in history else pd.Series(1.0, history.index, dtype="Float64")
    history = history.assign(**{name: own * decay})[list(frame.columns)]
    return pd.concat([history, frame], ignore_index=True)


def snapshot_end(path: Path) -> int:
    """Return the moment after the last row of a snapshot, in microseconds since 1970, UTC."""
    import pyarrow.parquet as pq
    from pyarrow import compute

    moments = pq.read_table(path, columns=[AT]).column(AT)
    return int(compute.max(moments.cast(pa.int64())).as_py()) + 1


def read_snapshot(path: Path, schema: Schema, *, where: str) -> SnapshotRows:
    """Return the rows of a snapshot as declared; a declared time is the moment of the prediction.

    Raises
    ------
    ConfigError
        When a column that the log does not have must not be missing.
    DataError
        When the snapshot lacks a feature, or a value does not have its type.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    at = table.column(AT).combine_chunks().cast(pa.int64())
    for column in schema.columns:
        if column.role == "feature" or column.name in table.column_names:
            continue
        if column.role == "time" and column.kind == "datetime":
            values = at.cast(pa.timestamp("us"))
        elif column.nullable or column.role == "weight":
            values = pa.nulls(table.num_rows, ARROW_TYPES[column.kind])
        else:
            raise ConfigError(
                f"{where}: {column.name}: the prediction log has no column with the role {column.role}, so labeled"
                f" rows lack it; write `nullable: true` under data.columns.{column.name}, or remove the column"
            )
        table = table.append_column(column.name, values)
    frame = coerce_to_schema(table, _in_plain_form(schema), where=where)
    return SnapshotRows(frame, at.to_numpy(), table.column(WEIGHT).combine_chunks().to_numpy().astype(np.float64))


def history_schema(schema: Schema) -> Schema:
    """Return the schema of the rows before a snapshot: without the weight that only labeled rows bring."""
    return replace(schema, columns=tuple(column for column in schema.columns if column.name != LABELED_WEIGHT))


def _in_plain_form(schema: Schema) -> Schema:
    """Return the schema without the forms of texts: the values of a snapshot are parsed already."""
    columns = [
        replace(
            column,
            format=None,
            zone=None,
            true_values=(),
            false_values=(),
            null_values=(),
            strip=(),
            decimal=".",
            thousands=None,
        )
        for column in schema.columns
    ]
    return replace(schema, columns=tuple(columns))


def _decay(age_us: NDArray[np.int64], half_life_days: float | None) -> Floats:
    if half_life_days is None:
        return np.ones(len(age_us))
    return np.asarray(0.5 ** (age_us / (half_life_days * _DAY_US)))


def _to_us(moment: str) -> int:
    return int(np.datetime64(datetime.fromisoformat(moment), "us").astype(np.int64))
