"""Read logged predictions with the outcome that counts and who sent it: the rows that a model can learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, select

from pipeline.state.tables import outcomes, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

__all__ = ["LabeledRow", "LabeledRows", "last_log_numbers", "read_labeled_rows"]

_ROWS_PER_FETCH = 5_000


class LabeledRow(NamedTuple):
    """A logged prediction with its last outcome; it represents `weight` predictions of a sampled log."""

    seq: int
    prediction_id: str
    predicted_at: int
    features: str
    weight: float
    outcome: str
    caller: str


@dataclass(frozen=True, slots=True)
class LabeledRows:
    """Which rows of the log of a model count.

    Attributes
    ----------
    model : str
    until_prediction, until_outcome : int
        Number of the last prediction and of the last outcome.
    after_prediction : int
        Number of the last prediction that does not count.
    sources : sequence of str
        Sources of the predictions; empty for all.
    skip_callers : sequence of str
        Callers whose outcomes do not count.
    """

    model: str
    until_prediction: int
    until_outcome: int
    after_prediction: int = 0
    sources: Sequence[str] = ()
    skip_callers: Sequence[str] = ()


def last_log_numbers(connection: Connection) -> tuple[int, int]:
    """Return the numbers of the last prediction and of the last outcome of the log; 0 where there is none."""
    last = [connection.execute(select(func.max(table.c.seq))).scalar() for table in (predictions, outcomes)]
    return last[0] or 0, last[1] or 0


def read_labeled_rows(
    connection: Connection, wanted: LabeledRows, *, subject: str | None = None
) -> Iterator[LabeledRow]:
    """Yield the predictions that have an outcome, in the order of their numbers.

    Equal arguments give equal rows in every copy of the log. Of several outcomes the last one counts whose caller is
    not skipped. `subject` limits the rows to those of a subject, as the log stores it.
    """
    columns = predictions.c
    last = (
        select(func.max(outcomes.c.seq))
        .where(
            outcomes.c.prediction_id == columns.prediction_id,
            # Without the function, SQLite walks the primary key through all outcomes for each prediction.
            func.coalesce(outcomes.c.seq, 0) <= wanted.until_outcome,
            outcomes.c.caller.not_in(wanted.skip_callers),
        )
        .scalar_subquery()
    )
    names = ("seq", "prediction_id", "predicted_at", "features", "weight")
    where = [columns.model == wanted.model, columns.seq > wanted.after_prediction]
    where.append(columns.seq <= wanted.until_prediction)
    if wanted.sources:
        where.append(columns.source.in_(wanted.sources))
    if subject is not None:
        where.append(columns.subject == subject)
    query = (
        select(*(columns[name] for name in names), outcomes.c.outcome, outcomes.c.caller)
        .join(outcomes, outcomes.c.seq == last)
        .where(and_(*where))
        .order_by(columns.seq)
    )
    for row in connection.execution_options(yield_per=_ROWS_PER_FETCH).execute(query):
        yield LabeledRow._make(row)
