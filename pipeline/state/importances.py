"""Store the importance of each feature on the labeled rows of a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from sqlalchemy import insert, select

from pipeline.state.tables import importances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["ImportanceKind", "StoredImportance", "add_importances", "read_importances"]

ImportanceKind = Literal["loss", "contribution"]


class StoredImportance(NamedTuple):
    """The importance of one feature on the labeled rows of one window.

    `window_start` is in microseconds since 1970, UTC. `total` and `total_squares` are sums over `n_rows` rows.
    """

    kind: ImportanceKind
    window_start: int
    feature: str
    n_rows: int
    total: float
    total_squares: float


def add_importances(connection: Connection, model: str, digest: str, rows: Sequence[StoredImportance]) -> None:
    """Add the importance of a package's features in windows that have none yet."""
    names = ("kind", "window_start", "feature", "n_rows", "sum", "sum_squares")
    values = [{"model": model, "digest": digest, **dict(zip(names, row, strict=True))} for row in rows]
    if values:
        connection.execute(insert(importances), values)


def read_importances(connection: Connection, model: str, digest: str, *, since: int = 0) -> list[StoredImportance]:
    """Return the importance of a package's features in windows that start at `since` or later, oldest first."""
    columns = importances.c
    query = (
        select(
            columns.kind,
            columns.window_start,
            columns.feature,
            columns.n_rows,
            columns.sum,
            columns.sum_squares,
        )
        .where(columns.model == model, columns.digest == digest, columns.window_start >= since)
        .order_by(columns.window_start, columns.kind, columns.feature)
    )
    return [StoredImportance._make(row) for row in connection.execute(query)]
