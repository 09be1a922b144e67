"""Hash the declared keys of rows: columns whose values together must not occur twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.validation.arrow_rows import is_missing
from pipeline.validation.row_hash import row_hashes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind, Schema

__all__ = ["UniqueKey", "unique_keys"]


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns whose values together must not occur twice; a key with a missing part may.

    Attributes
    ----------
    label : str
        Name of the key in findings.
    columns : tuple of str
    rule : str
        `unique` or `unique_together`.
    """

    label: str
    columns: tuple[str, ...]
    rule: str

    def hash_rows(self, batch: pa.RecordBatch, start: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the hashes of the complete keys of a batch, and their rows; `start` is that of the first one."""
        hashes = row_hashes(batch, self.columns)
        rows = np.arange(start, start + len(batch), dtype=np.int64)
        if not any(batch.column(column).null_count for column in self.columns):
            return hashes, rows
        is_complete = np.ones(len(batch), dtype=bool)
        for column in self.columns:
            is_complete &= ~is_missing(batch.column(column))
        return hashes[is_complete], rows[is_complete]


def unique_keys(kinds: Mapping[str, ColumnKind], schema: Schema) -> list[UniqueKey]:
    """Return the keys that the declaration names, of the columns that can be read."""
    keys = [
        UniqueKey(column.name, (column.name,), "unique")
        for column in schema.columns
        if column.unique and column.name in kinds
    ]
    if schema.unique is not None and all(name in kinds for name in schema.unique):
        keys.append(UniqueKey(", ".join(schema.unique), schema.unique, "unique_together"))
    return keys
