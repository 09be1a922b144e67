"""Search the prediction log in the database: filtered, newest first, one page at a time.

A search with filters reads at most `MAX_SEARCHED` of the newest predictions of its range; the result states back to
when. A page begins at a cursor, so the thousandth page costs as much as the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import func, select

from pipeline.state.column_filters import column_condition, text_condition
from pipeline.state.logged_outcomes import latest_outcome, latest_outcomes
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from pipeline.state.column_filters import ColumnFilter

__all__ = [
    "LoggedPrediction",
    "OutcomeFilter",
    "PredictionCount",
    "PredictionCursor",
    "PredictionPage",
    "PredictionQuery",
    "count_predictions",
    "iter_found_predictions",
    "logged_prediction",
    "neighboring_ids",
    "search_predictions",
]

OutcomeFilter = Literal["any", "wrong", "right", "missing"]

MAX_SEARCHED = 200_000
_BATCH_SIZE = 2_000


@dataclass(frozen=True, slots=True)
class PredictionQuery:
    """The filters of a search (None: no filter); moments are in microseconds since 1970, UTC, and `until` is excluded.

    All `filters` must be met. `text` is looked for in the features, the predicted class and the identifier.
    """

    model: str
    since: int | None = None
    until: int | None = None
    version: int | None = None
    prediction: str | None = None
    outcome: OutcomeFilter = "any"
    filters: tuple[ColumnFilter, ...] = ()
    text: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether the query has a filter besides model and range, so that predictions must be read to find some."""
        given = (self.version, self.prediction, self.filters or None, self.text or None)
        return self.outcome != "any" or any(value is not None for value in given)


class PredictionCursor(NamedTuple):
    """A place in the log: what is older than the prediction of this moment with this number."""

    predicted_at: int
    seq: int


@dataclass(frozen=True, slots=True)
class LoggedPrediction:
    """One logged prediction with its last outcome; None without one."""

    seq: int
    prediction_id: str
    predicted_at: int
    model: str
    version: int
    digest: str
    prediction: str
    confidence: float
    probabilities: dict[str, float]
    features: dict[str, Any]
    served_by: str
    variant: str
    source: str
    latency_us: int
    outcome: str | None

    @property
    def is_right(self) -> bool | None:
        """Whether the outcome is the predicted class; None without an outcome."""
        return None if self.outcome is None else self.outcome == self.prediction


@dataclass(frozen=True, slots=True)
class PredictionPage:
    """A page of a search, newest first.

    Attributes
    ----------
    predictions : tuple of LoggedPrediction
    older : PredictionCursor or None
        Where the next page begins; None when everything was searched.
    searched_since : int or None
        Moment back to which the log was searched, None when that is the begin of the range.
    """

    predictions: tuple[LoggedPrediction, ...]
    older: PredictionCursor | None
    searched_since: int | None


class PredictionCount(NamedTuple):
    """The number of predictions that match, and back to when they were searched (None: the whole range)."""

    n: int
    searched_since: int | None


def search_predictions(
    connection: Connection,
    search: PredictionQuery,
    *,
    limit: int = 50,
    before: PredictionCursor | None = None,
    max_searched: int = MAX_SEARCHED,
) -> PredictionPage:
    """Return at most `limit` matching predictions that are older than `before`, newest first.

    Parameters
    ----------
    connection : Connection
    search : PredictionQuery
    limit : int
    before : PredictionCursor or None
        `older` of the page before; None for the newest predictions.
    max_searched : int
        Most predictions of the range that a search with filters reads.
    """
    searched_since = _search_start(connection, search, before, max_searched)
    query = (
        select(predictions)
        .where(*_conditions(connection, search, before=before, searched_since=searched_since))
        .order_by(predictions.c.predicted_at.desc(), predictions.c.seq.desc())
    )
    rows = [row._asdict() for row in connection.execute(query.limit(limit + 1))]
    shown = rows[:limit]
    known = latest_outcomes(connection, [row["prediction_id"] for row in shown])
    found = tuple(_logged_prediction(row, known.get(row["prediction_id"])) for row in shown)
    if len(rows) > limit:
        return PredictionPage(found, PredictionCursor(found[-1].predicted_at, found[-1].seq), None)
    older = None if searched_since is None else PredictionCursor(searched_since, 0)
    return PredictionPage(found, older, searched_since)


def count_predictions(
    connection: Connection, search: PredictionQuery, *, max_count: int = 10_000, max_searched: int = MAX_SEARCHED
) -> PredictionCount:
    """Return the number of matching predictions, at most `max_count`, so that a long log is not read to its end."""
    searched_since = _search_start(connection, search, None, max_searched)
    conditions = _conditions(connection, search, before=None, searched_since=searched_since)
    matches = select(predictions.c.seq).where(*conditions).limit(max_count).subquery()
    n = int(connection.execute(select(func.count()).select_from(matches)).scalar() or 0)
    return PredictionCount(n, None if n == max_count else searched_since)


def iter_found_predictions(
    connection: Connection, search: PredictionQuery, *, limit: int
) -> Iterator[LoggedPrediction]:
    """Yield at most `limit` matching predictions of the whole range, newest first."""
    before: PredictionCursor | None = None
    n_left = limit
    while n_left > 0:
        page = search_predictions(connection, search, limit=min(_BATCH_SIZE, n_left), before=before)
        yield from page.predictions
        if page.older is None:
            return
        n_left, before = n_left - len(page.predictions), page.older


def logged_prediction(connection: Connection, prediction_id: str) -> LoggedPrediction | None:
    """Return the prediction with an identifier and its last outcome, None when the log has none."""
    row = connection.execute(select(predictions).where(predictions.c.prediction_id == prediction_id)).first()
    if row is None:
        return None
    return _logged_prediction(row._asdict(), latest_outcomes(connection, [prediction_id]).get(prediction_id))


def neighboring_ids(connection: Connection, prediction: LoggedPrediction) -> tuple[str | None, str | None]:
    """Return the identifiers of the predictions of the same model just before and just after one."""
    columns = predictions.c
    query = select(columns.prediction_id).where(columns.model == prediction.model).limit(1)
    at, seq = prediction.predicted_at, prediction.seq
    before = query.where(*_older_than(PredictionCursor(at, seq)))
    after = query.where(
        columns.predicted_at >= at, (columns.predicted_at > at) | ((columns.predicted_at == at) & (columns.seq > seq))
    )
    return (
        connection.execute(before.order_by(columns.predicted_at.desc(), columns.seq.desc())).scalar(),
        connection.execute(after.order_by(columns.predicted_at, columns.seq)).scalar(),
    )


def _search_start(
    connection: Connection, search: PredictionQuery, before: PredictionCursor | None, max_searched: int
) -> int | None:
    """Return the moment back to which a search reads; None when it reads the whole range.

    The index of models and moments has all that this query reads.
    """
    if not search.is_filtered:
        return None
    at = predictions.c.predicted_at
    conditions = _range_conditions(search)
    if before is not None:
        # A cursor without a number ends a moment; with its predictions, a search would begin there again and again.
        conditions.append(at <= before.predicted_at if before.seq else at < before.predicted_at)
    query = select(at).where(*conditions).order_by(at.desc()).limit(1).offset(max_searched)
    return connection.execute(query).scalar()


def _range_conditions(search: PredictionQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [predictions.c.model == search.model]
    if search.since is not None:
        conditions.append(predictions.c.predicted_at >= search.since)
    if search.until is not None:
        conditions.append(predictions.c.predicted_at < search.until)
    return conditions


def _older_than(cursor: PredictionCursor) -> Sequence[ColumnElement[bool]]:
    at, seq = predictions.c.predicted_at, predictions.c.seq
    # The first condition repeats a part of the second one: an index finds it.
    return at <= cursor.predicted_at, (at < cursor.predicted_at) | ((at == cursor.predicted_at) & (seq < cursor.seq))


def _conditions(
    connection: Connection, search: PredictionQuery, *, before: PredictionCursor | None, searched_since: int | None
) -> list[ColumnElement[bool]]:
    columns, dialect = predictions.c, connection.dialect.name
    conditions = _range_conditions(search)
    if before is not None:
        conditions += _older_than(before)
    if searched_since is not None:
        conditions.append(columns.predicted_at >= searched_since)
    for name in ("version", "prediction"):
        value = getattr(search, name)
        if value is not None:
            conditions.append(columns[name] == value)
    if search.outcome != "any":
        conditions.append(_outcome_condition(search.outcome))
    conditions += [column_condition(column_filter, dialect) for column_filter in search.filters]
    if search.text:
        conditions.append(text_condition(search.text, dialect))
    return conditions


def _outcome_condition(outcome: OutcomeFilter) -> ColumnElement[bool]:
    latest = latest_outcome(predictions.c.prediction_id)
    if outcome == "missing":
        return latest.is_(None)
    return latest == predictions.c.prediction if outcome == "right" else latest != predictions.c.prediction


def _logged_prediction(row: Mapping[str, Any], outcome: str | None) -> LoggedPrediction:
    copied = (
        "seq", "prediction_id", "predicted_at", "model", "version", "digest", "prediction", "confidence", "served_by",
        "variant", "source", "latency_us",
    )  # fmt: skip
    return LoggedPrediction(
        **{name: row[name] for name in copied},
        probabilities=json.loads(row["probabilities"]),
        features=json.loads(row["features"]),
        outcome=outcome,
    )
