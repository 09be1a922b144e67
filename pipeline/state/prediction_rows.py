"""Read, outlive and erase logged predictions and their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select

from pipeline.state.sequence import next_number
from pipeline.state.tables import answers, outcomes, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

__all__ = [
    "add_outcomes",
    "erase_subject",
    "known_predictions",
    "last_outcomes",
    "prediction_rows",
    "remove_answers",
    "remove_predictions",
]

_AT_ONCE = 500


def known_predictions(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of `ids` that are in the log."""
    found: set[str] = set()
    for at in range(0, len(ids), _AT_ONCE):
        part = ids[at : at + _AT_ONCE]
        query = select(predictions.c.prediction_id).where(predictions.c.prediction_id.in_(part))
        found.update(connection.execute(query).scalars())
    return found


def add_outcomes(connection: Connection, rows: Sequence[tuple[str, int, str, str]]) -> None:
    """Append outcomes: identifier of the prediction, moment, outcome, source."""
    first = next_number(connection, "outcomes", n=len(rows))
    names = ("prediction_id", "at", "outcome", "source")
    values = [{"seq": first + at, **dict(zip(names, row, strict=True))} for at, row in enumerate(rows)]
    connection.execute(insert(outcomes), values)


def remove_predictions(connection: Connection, *, before: int, limit: int) -> int:
    """Remove at most `limit` of the oldest predictions that were given before a moment, with their outcomes.

    Model by model, by the index of models and moments: to find that nothing is old must not take the reading of a long log.
    """
    numbers: list[int] = []
    for model in _models(connection):
        is_old = (predictions.c.model == model) & (predictions.c.at < before)
        oldest = select(predictions.c.seq).where(is_old).order_by(predictions.c.at).limit(limit - len(numbers))
        numbers += connection.execute(oldest).scalars()
    return _remove(connection, numbers)


def remove_answers(connection: Connection, *, before: int, limit: int) -> int:
    """Remove at most `limit` stored answers that are older than a moment."""
    oldest = select(answers.c.idempotency_key).where(answers.c.at < before).order_by(answers.c.at).limit(limit)
    keys = list(connection.execute(oldest).scalars())
    for at in range(0, len(keys), _AT_ONCE):
        connection.execute(delete(answers).where(answers.c.idempotency_key.in_(keys[at : at + _AT_ONCE])))
    return len(keys)


def erase_subject(connection: Connection, subject: str) -> int:
    """Remove all that is kept about a subject: predictions, outcomes, stored answers; return how many predictions."""
    numbers = list(connection.execute(select(predictions.c.seq).where(predictions.c.subject == subject)).scalars())
    n_removed = _remove(connection, numbers)
    connection.execute(delete(answers).where(answers.c.subject == subject))
    return n_removed


def prediction_rows(connection: Connection, *, since: int, until: int, at_once: int = 10_000) -> Iterator[list[Any]]:
    """Yield the predictions of [since, until), oldest first, in lists of rows."""
    last = 0
    while True:
        query = (
            select(predictions)
            .where(predictions.c.at >= since, predictions.c.at < until, predictions.c.seq > last)
            .order_by(predictions.c.seq)
            .limit(at_once)
        )
        rows = list(connection.execute(query))
        if not rows:
            return
        last = rows[-1].seq
        yield rows


def last_outcomes(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the last outcome of each of these predictions that has any."""
    found: dict[str, str] = {}
    for at in range(0, len(ids), _AT_ONCE):
        part = ids[at : at + _AT_ONCE]
        query = select(outcomes).where(outcomes.c.prediction_id.in_(part)).order_by(outcomes.c.seq)
        found.update({row.prediction_id: row.outcome for row in connection.execute(query)})
    return found


def _models(connection: Connection) -> Iterator[str]:
    """Yield the models of the log, by one look into an index for each."""
    model = connection.execute(select(func.min(predictions.c.model))).scalar()
    while model is not None:
        yield model
        model = connection.execute(select(func.min(predictions.c.model)).where(predictions.c.model > model)).scalar()


def _remove(connection: Connection, numbers: Sequence[int]) -> int:
    for at in range(0, len(numbers), _AT_ONCE):
        part = numbers[at : at + _AT_ONCE]
        gone = select(predictions.c.prediction_id).where(predictions.c.seq.in_(part))
        connection.execute(delete(outcomes).where(outcomes.c.prediction_id.in_(gone)))
        connection.execute(delete(predictions).where(predictions.c.seq.in_(part)))
    return len(numbers)
