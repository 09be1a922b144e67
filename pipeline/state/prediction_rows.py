"""The rows that a prediction leaves in the state database."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["REQUEST_COLUMNS", "ROW_COLUMNS", "PredictionRow", "RequestRows", "RequestValues", "StoredResponse"]


class PredictionRow(NamedTuple):
    """One row of the table `predictions`, without its number."""

    prediction_id: str
    predicted_at: int
    model: str
    version: int
    digest: str
    generation: int
    features: str
    prediction: str
    probabilities: str
    confidence: float
    served_by: str
    variant: str
    source: str
    latency_us: int
    weight: float
    idempotency_key: str | None
    subject: str | None


class RequestValues(NamedTuple):
    """The values that all rows of one request share."""

    predicted_at: int
    model: str
    version: int
    digest: str
    generation: int
    served_by: str
    variant: str
    source: str
    latency_us: int
    weight: float
    idempotency_key: str | None
    subject: str | None


class RequestRows(NamedTuple):
    """Rows of one request: the shared values, and one column for each value that differs by row.

    Shared values are sent once, which saves a third of the time of a large request. The first row has the latency of
    the request and the others have 0, so that a large request counts as one.
    """

    shared: RequestValues
    prediction_id: Sequence[str]
    features: Sequence[str]
    prediction: Sequence[str]
    probabilities: Sequence[str]
    confidence: Sequence[float]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.prediction_id)

    def iter_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the values of a `PredictionRow` for each row."""
        shared = self.shared
        for row_values in zip(*self[1:], strict=True):
            yield _to_column_order((*shared, *row_values))
            shared = shared._replace(latency_us=0)


class StoredResponse(NamedTuple):
    """One row of the table `idempotent_responses`; key and request are stored as keyed digests."""

    idempotency_key: str
    created_at: int
    request_digest: str
    response: str
    subject: str | None


# The columns that the rows of a request share, and those that differ by row.
REQUEST_COLUMNS, ROW_COLUMNS = RequestValues._fields, RequestRows._fields[1:]
_to_column_order = itemgetter(*map((*REQUEST_COLUMNS, *ROW_COLUMNS).index, PredictionRow._fields))
