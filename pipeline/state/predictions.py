"""Read, remove and erase logged predictions with their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, select

from pipeline.state.stored_rows import require_removed
from pipeline.state.tables import idempotent_responses, outcomes, predictions, shadow_predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection

__all__ = [
    "LoggedResult",
    "count_older_predictions",
    "count_predictions_between",
    "erase_subject",
    "existing_prediction_ids",
    "find_prediction",
    "iter_models",
    "iter_predictions",
    "logged_results",
    "remove_predictions",
    "remove_stored_responses",
]

_IDS_PER_QUERY = 500


class LoggedResult(NamedTuple):
    """What the log has of a prediction, and the model that gave it; `probabilities` are JSON."""

    prediction_id: str
    prediction: str
    probabilities: str
    confidence: float
    version: int
    digest: str
    generation: int
    served_by: str


def existing_prediction_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of `ids` that are in the log."""
    existing: set[str] = set()
    for at in range(0, len(ids), _IDS_PER_QUERY):
        part = ids[at : at + _IDS_PER_QUERY]
        query = select(predictions.c.prediction_id).where(predictions.c.prediction_id.in_(part))
        existing.update(connection.execute(query).scalars())
    return existing


def count_predictions_between(connection: Connection, first_id: str, last_id: str) -> int:
    """Return the number of logged predictions whose identifiers are in a range, its ends included."""
    between = predictions.c.prediction_id.between(first_id, last_id)
    return connection.execute(select(func.count()).select_from(predictions).where(between)).scalar_one()


def logged_results(connection: Connection, ids: Sequence[str]) -> dict[str, LoggedResult]:
    """Return what the log has of those of `ids` that are in it."""
    results: dict[str, LoggedResult] = {}
    columns = [predictions.c[name] for name in LoggedResult._fields]
    for at in range(0, len(ids), _IDS_PER_QUERY):
        query = select(*columns).where(predictions.c.prediction_id.in_(ids[at : at + _IDS_PER_QUERY]))
        results.update((row[0], LoggedResult(*row)) for row in connection.execute(query))
    return results


def find_prediction(connection: Connection, prediction_id: str) -> Any | None:
    """Return the row of a logged prediction, None when the log has none with this identifier."""
    return connection.execute(select(predictions).where(predictions.c.prediction_id == prediction_id)).first()


def count_older_predictions(connection: Connection, *, before: int) -> int:
    """Return the number of predictions that were given before a moment."""
    return sum(
        connection.execute(
            select(func.count())
            .select_from(predictions)
            .where(predictions.c.model == model, predictions.c.predicted_at < before)
        ).scalar_one()
        for model in iter_models(connection)
    )


def remove_predictions(connection: Connection, *, before: int, limit: int) -> int:
    """Remove at most `limit` of the oldest predictions that were given before a moment, with their outcomes.

    It reads the index of models and moments, one model at a time: a long log without old predictions is not read.
    """
    numbers: list[int] = []
    for model in iter_models(connection):
        is_old = (predictions.c.model == model) & (predictions.c.predicted_at < before)
        oldest = (
            select(predictions.c.seq).where(is_old).order_by(predictions.c.predicted_at).limit(limit - len(numbers))
        )
        numbers += connection.execute(oldest).scalars()
    return _remove_by_number(connection, numbers)


def remove_stored_responses(connection: Connection, *, before: int, limit: int) -> int:
    """Remove at most `limit` stored responses that are older than a moment."""
    oldest = (
        select(idempotent_responses.c.idempotency_key)
        .where(idempotent_responses.c.created_at < before)
        .order_by(idempotent_responses.c.created_at)
        .limit(limit)
    )
    keys = list(connection.execute(oldest).scalars())
    for at in range(0, len(keys), _IDS_PER_QUERY):
        connection.execute(
            delete(idempotent_responses).where(
                idempotent_responses.c.idempotency_key.in_(keys[at : at + _IDS_PER_QUERY])
            )
        )
    return len(keys)


def erase_subject(connection: Connection, subject: str) -> int:
    """Remove predictions, outcomes and stored responses of a subject; return the number of removed predictions.

    Raises
    ------
    DependencyUnavailable
        When a table keeps the rows.
    """
    numbers = list(connection.execute(select(predictions.c.seq).where(predictions.c.subject == subject)).scalars())
    n_removed = _remove_by_number(connection, numbers)
    connection.execute(delete(idempotent_responses).where(idempotent_responses.c.subject == subject))
    _require_none(connection, idempotent_responses.c.subject == subject)
    return n_removed


def iter_models(connection: Connection) -> Iterator[str]:
    """Yield the models of the log, with one index lookup for each."""
    model = connection.execute(select(func.min(predictions.c.model))).scalar()
    while model is not None:
        yield model
        model = connection.execute(select(func.min(predictions.c.model)).where(predictions.c.model > model)).scalar()


def iter_predictions(
    connection: Connection,
    *,
    since: int,
    until: int,
    model: str | None = None,
    version: int | None = None,
    batch_size: int = 10_000,
) -> Iterator[list[Any]]:
    """Yield the predictions of [since, until), oldest first, in lists of rows; of every model by default."""
    last = 0
    wanted = {predictions.c.model: model, predictions.c.version: version}
    conditions = [column == value for column, value in wanted.items() if value is not None]
    while True:
        query = (
            select(predictions)
            .where(
                predictions.c.predicted_at >= since,
                predictions.c.predicted_at < until,
                predictions.c.seq > last,
                *conditions,
            )
            .order_by(predictions.c.seq)
            .limit(batch_size)
        )
        rows = list(connection.execute(query))
        if not rows:
            return
        last = rows[-1].seq
        yield rows


def _remove_by_number(connection: Connection, numbers: Sequence[int]) -> int:
    for at in range(0, len(numbers), _IDS_PER_QUERY):
        part = numbers[at : at + _IDS_PER_QUERY]
        removed = select(predictions.c.prediction_id).where(predictions.c.seq.in_(part))
        for table in (outcomes, shadow_predictions):
            connection.execute(delete(table).where(table.c.prediction_id.in_(removed)))
            _require_none(connection, table.c.prediction_id.in_(removed))
        connection.execute(delete(predictions).where(predictions.c.seq.in_(part)))
        _require_none(connection, predictions.c.seq.in_(part))
    return len(numbers)


def _require_none(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Require that the table of a condition has no row that meets it."""
    query = select(func.count()).where(condition)
    (table,) = query.get_final_froms()
    require_removed(str(table), connection.execute(query).scalar_one())
