"""Search the prediction log in the database: filtered, newest first, one page at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from pipeline.state.logged_outcomes import latest_outcomes
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Select

__all__ = ["LoggedPrediction", "PredictionQuery", "count_predictions", "search_predictions"]

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class PredictionQuery:
    """The filters of a search (None: no filter); moments are in microseconds since 1970, UTC, and `until` is excluded.

    `text` is looked for in the identifier and in the features as they are stored.
    """

    model: str
    since: int | None = None
    until: int | None = None
    version: int | None = None
    prediction: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class LoggedPrediction:
    """One logged prediction with its last outcome; None without one."""

    prediction_id: str
    predicted_at: int
    version: int
    prediction: str
    confidence: float
    probabilities: dict[str, float]
    features: dict[str, Any]
    served_by: str
    variant: str
    source: str
    latency_us: int
    outcome: str | None


def search_predictions(
    connection: Connection, search: PredictionQuery, *, limit: int = 50, offset: int = 0
) -> list[LoggedPrediction]:
    """Return at most `limit` matching predictions from `offset` on, newest first."""
    query = _apply_filters(select(predictions), search).order_by(
        predictions.c.predicted_at.desc(), predictions.c.seq.desc()
    )
    rows = [row._asdict() for row in connection.execute(query.limit(limit).offset(offset))]
    known = latest_outcomes(connection, [row["prediction_id"] for row in rows])
    return [_logged_prediction(row, known.get(row["prediction_id"])) for row in rows]


def count_predictions(connection: Connection, search: PredictionQuery, *, max_count: int = 10_000) -> int:
    """Return the number of matching predictions, at most `max_count`, so that a long log is not read to its end."""
    matches = _apply_filters(select(predictions.c.seq), search).limit(max_count).subquery()
    return int(connection.execute(select(func.count()).select_from(matches)).scalar() or 0)


def _apply_filters(query: Select[Any], search: PredictionQuery) -> Select[Any]:
    columns = predictions.c
    query = query.where(columns.model == search.model)
    if search.since is not None:
        query = query.where(columns.predicted_at >= search.since)
    if search.until is not None:
        query = query.where(columns.predicted_at < search.until)
    if search.version is not None:
        query = query.where(columns.version == search.version)
    if search.prediction is not None:
        query = query.where(columns.prediction == search.prediction)
    if search.min_confidence is not None:
        query = query.where(columns.confidence >= search.min_confidence)
    if search.max_confidence is not None:
        query = query.where(columns.confidence <= search.max_confidence)
    if search.text:
        in_features = columns.features.contains(search.text, autoescape=True)
        query = query.where(in_features | columns.prediction_id.startswith(search.text, autoescape=True))
    return query


def _logged_prediction(row: Mapping[str, Any], outcome: str | None) -> LoggedPrediction:
    copied = (
        "prediction_id", "predicted_at", "version", "prediction", "confidence", "served_by", "variant", "source",
        "latency_us",
    )  # fmt: skip
    return LoggedPrediction(
        **{name: row[name] for name in copied},
        probabilities=json.loads(row["probabilities"]),
        features=json.loads(row["features"]),
        outcome=outcome,
    )
