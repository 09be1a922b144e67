"""Store outcomes of predictions, and read the last outcome of each prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, insert, select

from pipeline.state.sequence import next_number
from pipeline.state.stored_rows import require_stored
from pipeline.state.tables import outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, ScalarSelect

__all__ = ["LoggedOutcome", "add_outcomes", "last_outcome_seq", "latest_outcome", "latest_outcomes", "read_outcomes"]

_IDS_PER_QUERY = 500


class LoggedOutcome(NamedTuple):
    """One outcome of a prediction: when it arrived, the origin that its sender named, and who sent it."""

    received_at: int
    outcome: str
    source: str
    caller: str


def add_outcomes(connection: Connection, rows: Sequence[tuple[str, int, str, str]], *, caller: str = "") -> None:
    """Append outcomes of one caller, each as prediction identifier, moment, outcome and source.

    Parameters
    ----------
    connection : Connection
    rows : sequence of tuples
    caller : str
        The identity that was authenticated; empty where no credential is required.

    Raises
    ------
    DependencyUnavailable
        When the table does not keep them.
    """
    first = next_number(connection, "outcomes", n=len(rows))
    names = ("prediction_id", "received_at", "outcome", "source")
    values = [
        {"seq": first + offset, "caller": caller, **dict(zip(names, row, strict=True))}
        for offset, row in enumerate(rows)
    ]
    connection.execute(insert(outcomes), values)
    n_stored = connection.execute(select(func.count()).where(outcomes.c.seq >= first)).scalar_one()
    require_stored("outcomes", n_stored, n_rows=len(rows))


def last_outcome_seq(connection: Connection) -> int:
    """Return the number of the last outcome; 0 without one."""
    return int(connection.execute(select(func.max(outcomes.c.seq))).scalar() or 0)


def latest_outcome(prediction_id: ColumnElement[str], *, until_seq: int | None = None) -> ScalarSelect[Any]:
    """Return the SQL expression of the last outcome of a prediction; NULL without one.

    Parameters
    ----------
    prediction_id : ColumnElement of str
        The column of the enclosing query that identifies the prediction.
    until_seq : int or None
        The number of the last outcome that counts; None for all.
    """
    columns = outcomes.c
    query = select(columns.outcome).where(columns.prediction_id == prediction_id)
    if until_seq is not None:
        # Without the function, SQLite walks the primary key through all outcomes for each prediction.
        query = query.where(func.coalesce(columns.seq, 0) <= until_seq)
    return query.order_by(columns.seq.desc()).limit(1).scalar_subquery()


def latest_outcomes(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the last outcome by prediction identifier; predictions without an outcome are left out."""
    outcome_by_id: dict[str, str] = {}
    for start in range(0, len(ids), _IDS_PER_QUERY):
        known = (
            select(outcomes.c.prediction_id)
            .where(outcomes.c.prediction_id.in_(ids[start : start + _IDS_PER_QUERY]))
            .distinct()
            .subquery()
        )
        query = select(known.c.prediction_id, latest_outcome(known.c.prediction_id).label("outcome"))
        outcome_by_id |= {row.prediction_id: row.outcome for row in connection.execute(query)}
    return outcome_by_id


def read_outcomes(connection: Connection, prediction_id: str) -> list[LoggedOutcome]:
    """Return all outcomes of a prediction in the order of their arrival."""
    columns = [outcomes.c[name] for name in LoggedOutcome._fields]
    query = select(*columns).where(outcomes.c.prediction_id == prediction_id).order_by(outcomes.c.seq)
    return [LoggedOutcome(*row) for row in connection.execute(query)]
