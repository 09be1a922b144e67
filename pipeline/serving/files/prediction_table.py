"""Score tables of rows: the one function behind files and parts of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.modeling.classifier import predicted_codes
from pipeline.serving.files.file_warnings import table_warnings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pipeline.package import Package
    from pipeline.schema import Schema

__all__ = ["TABLE_ROWS", "id_names", "join_tables", "predict_table", "prefetch"]

_Item = TypeVar("_Item")
# Rows of a table, and of a row group of the output.
TABLE_ROWS = 131_072


def id_names(schema: Schema, present: Collection[str]) -> tuple[str, ...]:
    """Return the declared ids that a file has; the output repeats them."""
    return tuple(column.name for column in schema.columns if column.role == "id" and column.name in present)


def join_tables(tables: Iterator[pa.Table], *, n_rows: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables of `n_rows`; the last one may have fewer."""
    pending: list[pa.Table] = []
    n_pending = 0
    for table in tables:
        pending.append(table)
        n_pending += table.num_rows
        while n_pending >= n_rows:
            joined = pa.concat_tables(pending)
            yield joined.slice(0, n_rows).combine_chunks()
            pending, n_pending = [joined.slice(n_rows)], n_pending - n_rows
    if n_pending:
        yield pa.concat_tables(pending).combine_chunks()


def prefetch(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield `items`; a thread prepares the next one while the caller uses one."""
    with ThreadPoolExecutor(1) as worker:
        next_item = worker.submit(next, items, None)
        while (item := next_item.result()) is not None:
            next_item = worker.submit(next, items, None)
            yield item


def predict_table(package: Package, rows: pa.Table, *, chunk_rows: int) -> pa.Table:
    """Return the ids of rows, their predictions, probabilities and warnings.

    Parameters
    ----------
    package : Package
    rows : Arrow table
        Valid features with their declared types, and the columns with the role id.
    chunk_rows : int
        Rows that are scored at once; it bounds the memory and changes nothing else.
    """
    chunks = [_predict_chunk(package, rows.slice(start, chunk_rows)) for start in range(0, rows.num_rows, chunk_rows)]
    return pa.concat_tables(chunks).combine_chunks()


def _predict_chunk(package: Package, rows: pa.Table) -> pa.Table:
    features = {name: rows.column(name).combine_chunks() for name in package.schema.feature_names}
    probabilities = package.predict_proba(features)
    codes = predicted_codes(probabilities, package.schema.target, package.row_thresholds(features))
    given_names = set(rows.column_names)
    columns: dict[str, Any] = {
        column.name: rows.column(column.name)
        for column in package.schema.columns
        if column.role == "id" and column.name in given_names
    }
    columns["prediction"] = pa.array(package.classes, pa.string()).take(pa.array(codes))
    columns["confidence"] = probabilities[np.arange(len(codes)), codes]
    for code, name in enumerate(package.classes):
        columns[f"probability_{name}"] = np.ascontiguousarray(probabilities[:, code])
    columns["warnings"] = table_warnings(package, rows)
    return pa.table(columns)
