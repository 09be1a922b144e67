"""Read logged predictions: pages of a search, one prediction with its history, and exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.state.found_predictions_export import EXPORT_FORMATS
from pipeline.state.prediction_search import (
    PredictionCount,
    PredictionPage,
    iter_found_predictions,
    logged_prediction,
    neighboring_ids,
)

from .. import queries

if TYPE_CHECKING:
    from pipeline.state import LoggedOutcome, LoggedPrediction, PredictionQuery
    from pipeline.state.prediction_search import PredictionCursor

__all__ = [
    "MAX_EXPORTED",
    "PredictionHistory",
    "count_logged_predictions",
    "export_predictions",
    "find_prediction_history",
    "is_logged",
    "last_outcome",
    "logged_predictions",
]

MAX_EXPORTED = 50_000


@dataclass(frozen=True, slots=True)
class PredictionHistory:
    """A logged prediction with its outcomes in their order, and the predictions before and after it."""

    prediction: LoggedPrediction
    outcomes: tuple[LoggedOutcome, ...]
    earlier_id: str | None
    later_id: str | None


def logged_predictions(
    search: PredictionQuery, *, limit: int, before: PredictionCursor | None = None
) -> PredictionPage:
    """Return a page of the prediction log, newest first."""
    if not queries.has_state():
        return PredictionPage((), None, None)
    with queries.state().reading() as connection:
        return store.search_predictions(connection, search, limit=limit, before=before)


def count_logged_predictions(search: PredictionQuery, *, max_count: int) -> PredictionCount:
    """Return the number of predictions that match a search, at most `max_count`."""
    if not queries.has_state():
        return PredictionCount(0, None)
    with queries.state().reading() as connection:
        return store.count_predictions(connection, search, max_count=max_count)


def is_logged(prediction_id: str) -> bool:
    """Return whether the log has a prediction with this identifier."""
    if not queries.has_state():
        return False
    with queries.state().reading() as connection:
        return bool(store.existing_prediction_ids(connection, [prediction_id]))


def last_outcome(prediction_id: str) -> str | None:
    """Return the outcome of a prediction that counts, None without one."""
    if not queries.has_state():
        return None
    with queries.state().reading() as connection:
        return store.latest_outcomes(connection, [prediction_id]).get(prediction_id)


def find_prediction_history(prediction_id: str) -> PredictionHistory | None:
    """Return the prediction with an identifier, None if the log has none."""
    if not queries.has_state():
        return None
    with queries.state().reading() as connection:
        prediction = logged_prediction(connection, prediction_id)
        if prediction is None:
            return None
        outcomes = tuple(store.read_outcomes(connection, prediction_id))
        return PredictionHistory(prediction, outcomes, *neighboring_ids(connection, prediction))


def export_predictions(search: PredictionQuery, file_format: str) -> bytes:
    """Return at most `MAX_EXPORTED` matching predictions, newest first, as `csv` or `jsonl`."""
    if not queries.has_state():
        return b""
    with queries.state().reading() as connection:
        found = iter_found_predictions(connection, search, limit=MAX_EXPORTED)
        return EXPORT_FORMATS[file_format](found)
