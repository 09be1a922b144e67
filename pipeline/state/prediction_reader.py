"""Read rows of the log one by one, with their outcomes: those of a window, and those whose outcome has changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, literal, or_, select

from pipeline.state.logged_outcomes import latest_outcome
from pipeline.state.tables import outcomes, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from pipeline.state.rollup_counts import RollupProgress

__all__ = [
    "LoggedRow",
    "changed_outcomes",
    "has_predictions",
    "iter_raw_rows",
    "oldest_prediction_at",
    "time_of_nth_last",
    "window_predictions",
]

_COLUMNS = (
    "seq", "predicted_at", "digest", "source", "version", "features", "prediction", "probabilities", "confidence",
    "latency_us", "weight",
)  # fmt: skip


class LoggedRow(NamedTuple):
    """The values of a logged prediction that roll-ups count.

    It represents `weight` predictions, of which the log sampled this one; `outcome` is the last one or None.
    """

    seq: int
    predicted_at: int
    digest: str
    source: str
    version: int
    features: str
    prediction: str
    probabilities: str
    confidence: float
    latency_us: int
    weight: float
    outcome: str | None


def changed_outcomes(
    connection: Connection, model: str, progress: RollupProgress, *, limit: int
) -> tuple[list[LoggedRow], list[str | None], int]:
    """Return the counted predictions whose last outcome changes with the next `limit` outcomes.

    Returns
    -------
    rows : list of LoggedRow
        With the new outcome.
    before : list of str or None
        The previous outcome of each row, None without one.
    until : int
        Number of the last outcome that was read.
    """
    if progress.last_prediction_seq == 0:  # nothing was counted that could change
        newest = connection.execute(select(func.max(outcomes.c.seq))).scalar()
        return [], [], max(newest or 0, progress.last_outcome_seq)
    next_ones = (
        select(outcomes.c.seq)
        .where(outcomes.c.seq > progress.last_outcome_seq)
        .order_by(outcomes.c.seq)
        .limit(limit)
        .subquery()
    )
    until = connection.execute(select(func.max(next_ones.c.seq))).scalar()
    if until is None:
        return [], [], progress.last_outcome_seq
    fresh = (
        select(outcomes.c.prediction_id)
        .where(outcomes.c.seq > progress.last_outcome_seq, outcomes.c.seq <= until)
        .distinct()
        .scalar_subquery()
    )
    query = _select_rows(until=until).add_columns(
        latest_outcome(predictions.c.prediction_id, until_seq=progress.last_outcome_seq)
    )
    where = (
        predictions.c.prediction_id.in_(fresh),
        _is_of_model(model),
        predictions.c.seq <= progress.last_prediction_seq,
    )
    raw_rows = list(iter_raw_rows(connection, query.where(*where).order_by(predictions.c.seq)))
    return [LoggedRow._make(row[:-1]) for row in raw_rows], [row[-1] for row in raw_rows], int(until)


def window_predictions(
    connection: Connection, model: str, *, since: int, until: int, sources: Sequence[str] = ()
) -> list[LoggedRow]:
    """Return the predictions of a model in [since, until), in their order, with their last outcome.

    `sources` limits them to those sources. Of several outcomes the last that arrived counts; one of a prediction that
    is not in the log waits for it.
    """
    where = (
        predictions.c.model == model,
        predictions.c.predicted_at >= since,
        predictions.c.predicted_at < until,
        *_source_conditions(sources),
    )
    return _read_logged_rows(connection, _select_rows(until=None).where(*where).order_by(predictions.c.seq))


def has_predictions(connection: Connection, model: str, *, since: int, until: int) -> bool:
    """Whether the log has a prediction of a model in [since, until)."""
    where = (predictions.c.model == model, predictions.c.predicted_at >= since, predictions.c.predicted_at < until)
    return connection.execute(select(literal(1)).select_from(predictions).where(*where).limit(1)).first() is not None


def oldest_prediction_at(connection: Connection, model: str) -> int | None:
    """Return the moment of the oldest logged prediction of a model."""
    return connection.execute(select(func.min(predictions.c.predicted_at)).where(predictions.c.model == model)).scalar()


def time_of_nth_last(
    connection: Connection, model: str, n: int, *, before: int, sources: Sequence[str] = ()
) -> int | None:
    """Return the moment of the n-th last prediction of a model before a moment; None if there are fewer.

    `sources` limits them to those sources.
    """
    query = (
        select(predictions.c.predicted_at)
        .where(predictions.c.model == model, predictions.c.predicted_at < before, *_source_conditions(sources))
        .order_by(predictions.c.predicted_at.desc())
    )
    return connection.execute(query.limit(1).offset(n - 1)).scalar()


def _source_conditions(sources: Sequence[str]) -> list[ColumnElement[bool]]:
    # No IN: its list would be expanded when the statement runs, and `iter_raw_rows` runs a compiled text.
    return [or_(*(predictions.c.source == source for source in sources))] if sources else []


def _is_of_model(model: str) -> Any:
    """Return a condition on the model that uses no index.

    By the index of models and moments a database would read and sort every row of the model for each part of them;
    these queries use the number of the row, or its identifier.
    """
    return func.coalesce(predictions.c.model, "") == model


def _select_rows(*, until: int | None) -> Select[Any]:
    return select(
        *(predictions.c[name] for name in _COLUMNS), latest_outcome(predictions.c.prediction_id, until_seq=until)
    )


def _read_logged_rows(connection: Connection, query: Select[Any]) -> list[LoggedRow]:
    # `_make` would check the length of each row again, which costs as much as reading it.
    return list(map(partial(tuple.__new__, LoggedRow), iter_raw_rows(connection, query)))


def iter_raw_rows(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows from the driver's cursor, which is faster than a result of SQLAlchemy."""
    compiled = query.compile(connection.engine, compile_kwargs={"render_postcompile": True})
    if compiled.positional:
        names = compiled.positiontup or []
        values: Any = tuple(compiled.params[name] for name in names)
    else:
        values = compiled.params
    cursor = connection.connection.cursor()
    try:
        cursor.execute(str(compiled), values)
        # Row by row: the converted row replaces the raw one, which halves the work of the garbage collector.
        yield from iter(cursor.fetchone, None)
    finally:
        cursor.close()
