"""Read what the guards of a retrain need beside the labels: corrected outcomes, and outcomes by predicted class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, literal, select

from pipeline.state.tables import outcomes, predictions

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from pipeline.state.labeled_rows import LabeledRows

__all__ = ["corrected_predictions", "count_labeled_rows", "count_outcomes_by_prediction"]


def corrected_predictions(connection: Connection, wanted: LabeledRows) -> set[str]:
    """Return the identifiers of the wanted predictions for which outcomes of different values were sent."""
    query = (
        select(outcomes.c.prediction_id)
        .join(predictions, predictions.c.prediction_id == outcomes.c.prediction_id)
        .where(_is_wanted(wanted), _counts(wanted))
        .group_by(outcomes.c.prediction_id)
        .having(func.count(outcomes.c.outcome.distinct()) > 1)
    )
    return set(connection.execute(query).scalars())


def count_labeled_rows(connection: Connection, wanted: LabeledRows) -> int:
    """Return the number of wanted predictions that have an outcome."""
    query = select(func.count()).select_from(predictions).where(_is_wanted(wanted), _has_outcome(wanted))
    return int(connection.execute(query).scalar_one())


def count_outcomes_by_prediction(connection: Connection, wanted: LabeledRows) -> dict[str, tuple[int, int]]:
    """Return, by predicted class, the number of wanted predictions, and how many of them have an outcome."""
    query = select(predictions.c.prediction, func.count()).where(_is_wanted(wanted)).group_by(predictions.c.prediction)
    n_rows = {row[0]: int(row[1]) for row in connection.execute(query)}
    n_labels = {row[0]: int(row[1]) for row in connection.execute(query.where(_has_outcome(wanted)))}
    return {name: (n, n_labels.get(name, 0)) for name, n in sorted(n_rows.items())}


def _is_wanted(wanted: LabeledRows) -> ColumnElement[bool]:
    columns = predictions.c
    conditions = [columns.model == wanted.model, columns.seq > wanted.after_prediction]
    conditions.append(columns.seq <= wanted.until_prediction)
    if wanted.sources:
        conditions.append(columns.source.in_(wanted.sources))
    return and_(*conditions)


def _has_outcome(wanted: LabeledRows) -> ColumnElement[bool]:
    is_of_prediction = outcomes.c.prediction_id == predictions.c.prediction_id
    return select(literal(1)).where(is_of_prediction, _counts(wanted)).correlate(predictions).exists()


def _counts(wanted: LabeledRows) -> ColumnElement[bool]:
    # Without the function, SQLite walks the primary key through all outcomes for each prediction.
    is_read = func.coalesce(outcomes.c.seq, 0) <= wanted.until_outcome
    return and_(is_read, outcomes.c.caller.not_in(wanted.skip_callers))
