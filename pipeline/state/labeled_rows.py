"""Read logged predictions with the outcome that counts and who sent it: the rows that a model can learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from pipeline.state.tables import outcomes, predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["LabeledRow", "LabeledRows", "last_log_numbers", "read_labeled_rows"]


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


def read_labeled_rows(connection: Connection, wanted: LabeledRows, *, subject: str | None = None) -> list[LabeledRow]:
    """Return the predictions that have an outcome, in the order of their numbers.

    Equal arguments give equal rows in every copy of the log. Of several outcomes the last one counts whose caller is
    not skipped. `subject` limits the rows to those of a subject, as the log stores it.
    """
    columns, later = predictions.c, outcomes.alias()
    last = (
        select(func.max(later.c.seq))
        .where(
            later.c.prediction_id == columns.prediction_id,
            # Without the functions, SQLite walks primary keys through all rows in place of the better index.
            func.coalesce(later.c.seq, 0) <= wanted.until_outcome,
            later.c.caller.not_in(wanted.skip_callers),
        )
        .scalar_subquery()
    )
    where = [
        func.coalesce(columns.model, "") == wanted.model,
        columns.seq.between(wanted.after_prediction + 1, wanted.until_prediction),
        *([columns.source.in_(wanted.sources)] if wanted.sources else []),
        *([] if subject is None else [columns.subject == subject]),
    ]
    names = ("seq", "prediction_id", "predicted_at", "features", "weight")
    query = (
        select(*(columns[name] for name in names), outcomes.c.outcome, outcomes.c.caller)
        .select_from(predictions.join(outcomes, outcomes.c.seq == last))
        .where(*where)
        .order_by(columns.seq)
    )
    return [LabeledRow._make(row) for row in connection.execute(query)]
