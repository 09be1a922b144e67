"""Read logged predictions for roll-ups in bulk: the database joins the values of many rows into a few long texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, Text, and_, cast, func, not_, select

from pipeline.state.logged_outcomes import latest_outcome
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Row

    from pipeline.state.rollup_counts import RollupProgress

__all__ = ["CONFIDENCE_SCALE", "TEXT_SEPARATOR", "LogChunk", "OutcomeChunk", "RowChunk", "read_chunk_after"]

# JSON never holds it as it is, nor do numbers, nor classes: whoever unpacks them counts.
TEXT_SEPARATOR = "\x1e"
# Databases write fractions with fewer digits than they hold. A power of two times a fraction loses none of them.
CONFIDENCE_SCALE = 1 << 62
_MAX_TEXT_BYTES = 32_000_000  # or twice as much in the long texts of one part: SQLite takes a thousand million in each
_N_LENGTH_SAMPLES = 512


class RowChunk(NamedTuple):
    """Predictions of one package, source and weight; `TEXT_SEPARATOR` joins the values of each column.

    `numeric_texts`: sequence number, moment, latency in microseconds, confidence in units of 1 / `CONFIDENCE_SCALE`.
    """

    digest: str
    source: str
    weight: float
    n_rows: int
    numeric_texts: tuple[str, str, str, str]
    features: str
    prediction: str
    probabilities: str


class OutcomeChunk(NamedTuple):
    """The last outcome of each prediction that has one, in any order; `sequence_text` numbers the predictions."""

    sequence_text: str
    outcomes: str


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Predictions of a model up to number `last_seq`, and new outcomes; None if there are no outcomes."""

    last_seq: int
    row_chunks: tuple[RowChunk, ...]
    outcome_chunk: OutcomeChunk | None

    @property
    def n_rows(self) -> int:
        """Number of predictions."""
        return sum(chunk.n_rows for chunk in self.row_chunks)


def read_chunk_after(connection: Connection, model: str, progress: RollupProgress, *, limit: int) -> LogChunk | None:
    """Return the next predictions of a model after `progress`, at most `limit`, or None after the last one.

    Outcomes come along up to the outcome that `progress` names. A chunk of long rows has fewer of them, so that
    one text holds about thirty megabytes.
    """
    beyond = and_(predictions.c.seq > progress.last_prediction_seq, _is_of_model(model))
    first = connection.execute(select(predictions).where(beyond).order_by(predictions.c.seq).limit(1)).first()
    if first is None:
        return None
    newest = connection.execute(select(func.max(predictions.c.seq))).scalar_one()
    n = min(limit, newest - first.seq + 1)
    n = _n_rows_that_fit(connection, first.seq, n)
    until = first.seq + n - 1
    part = and_(predictions.c.seq.between(first.seq, until), _is_of_model(model))
    known = _read_outcome_chunk(connection, part, progress) if progress.last_outcome_seq else None
    return LogChunk(until, tuple(_iter_row_chunks(connection, part, first, n)), known)


def _n_rows_that_fit(connection: Connection, first: int, n: int) -> int:
    """Return how many of `n` rows fit into one text, by the mean length of a sample of rows."""
    length = func.avg(func.length(predictions.c.features) + func.length(predictions.c.probabilities))
    while True:
        some = sorted({first + n * at // _N_LENGTH_SAMPLES for at in range(_N_LENGTH_SAMPLES)})
        mean = connection.execute(select(length).where(predictions.c.seq.in_(some))).scalar() or 0
        fits = max(1, int(_MAX_TEXT_BYTES / max(float(mean), 100.0)))
        if n <= 2 * fits:
            return min(n, fits)
        n = fits  # those at the beginning may be longer than the others


def _iter_row_chunks(connection: Connection, part: Any, first: Row[Any], n: int) -> Iterator[RowChunk]:
    kind = (first.digest, first.source, first.weight)
    packed = _read_row_chunk(connection, part, kind)
    yield packed
    if packed.n_rows == n:  # numbers have no gaps: there is no room for rows of another kind
        return
    columns = predictions.c
    others = select(columns.digest, columns.source, columns.weight).where(part, not_(_is_in_group(kind))).distinct()
    for other in connection.execute(others).all():
        yield _read_row_chunk(connection, part, tuple(other))


def _read_row_chunk(connection: Connection, part: Any, kind: tuple[str, str, float]) -> RowChunk:
    columns = predictions.c
    confidence = cast(columns.confidence * float(CONFIDENCE_SCALE), BigInteger)
    numbers = [cast(column, Text) for column in (columns.seq, columns.predicted_at, columns.latency_us, confidence)]
    texts = map(_joined_text, (*numbers, columns.features, columns.prediction, columns.probabilities))
    query = select(func.count(), *texts).where(part, _is_in_group(kind))
    n, seq, at, latency_us, shares, *joined_texts = connection.execute(query).one()
    return RowChunk(*kind, n, (seq, at, latency_us, shares), *joined_texts)


def _read_outcome_chunk(connection: Connection, part: Any, progress: RollupProgress) -> OutcomeChunk:
    outcome = latest_outcome(predictions.c.prediction_id, until_seq=progress.last_outcome_seq)
    known = select(predictions.c.seq, outcome.label("outcome")).where(part).subquery()
    # Callers choose the text of an outcome, so it may hold the separator.
    label = func.replace(known.c.outcome, TEXT_SEPARATOR, "\ufffd")
    texts = map(_joined_text, (cast(known.c.seq, Text), label))
    query = select(*texts).where(known.c.outcome.is_not(None))
    sequence_text, labels = (text or "" for text in connection.execute(query).one())
    return OutcomeChunk(sequence_text, labels)


def _is_of_model(model: str) -> Any:
    """Return a condition on the model that uses no index, so that rows are read in the order of their numbers."""
    return func.coalesce(predictions.c.model, "") == model


def _is_in_group(kind: tuple[str, str, float]) -> ColumnElement[bool]:
    digest, source, weight = kind
    columns = predictions.c
    return and_(columns.digest == digest, columns.source == source, columns.weight == weight)


def _joined_text(value: ColumnElement[Any]) -> Any:
    return func.aggregate_strings(value, TEXT_SEPARATOR)
