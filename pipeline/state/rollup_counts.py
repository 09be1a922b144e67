"""Store and read roll-ups: counts of logged predictions by hour and day, in which each row counts once."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from sqlalchemy import case, delete, func, insert, select, tuple_, update

from pipeline.errors import Conflict, IntegrityError
from pipeline.state.tables import counters, rollups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

__all__ = [
    "DAY_US",
    "HOUR_US",
    "RollupCounts",
    "RollupKey",
    "RollupProgress",
    "add_rollups",
    "clear_rollups",
    "count_rows_by_hour",
    "read_rollup_progress",
    "read_rollups",
]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_GRANULARITY_US = {"hour": HOUR_US, "day": DAY_US}
_KEYS_PER_QUERY = 200


class RollupProgress(NamedTuple):
    """Numbers of the last prediction and of the last outcome that the roll-ups of a model count; 0 for none."""

    last_prediction_seq: int
    last_outcome_seq: int


class RollupKey(NamedTuple):
    """The key of one roll-up.

    `hour_start` is the first microsecond of an hour (UTC); `weight` is the weight of each counted row.
    """

    section: str
    digest: str
    source: str
    hour_start: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class RollupCounts:
    """A number of rows, the sum of their confidence, and their counts by bin; a change may be negative.

    Whole numbers, but for sums of rows that weigh differently.
    """

    n_rows: float
    confidence_sum: float
    counts: NDArray[Any]

    def __add__(self, other: RollupCounts) -> RollupCounts:
        """Return the tally of the rows of both."""
        if len(self.counts) != len(other.counts):
            raise IntegrityError(
                f"roll-ups: {len(other.counts)} counts, expected {len(self.counts)}; run `mlops monitor rebuild`"
            )
        return RollupCounts(
            self.n_rows + other.n_rows, self.confidence_sum + other.confidence_sum, self.counts + other.counts
        )


def read_rollup_progress(connection: Connection, model: str) -> RollupProgress:
    """Return the numbers of the last rows that the roll-ups of a model count."""
    query = select(counters.c.name, counters.c.value).where(counters.c.name.in_(_counter_names(model)))
    values = {name: int(value) for name, value in connection.execute(query)}
    return RollupProgress(*(values.get(name, 0) for name in _counter_names(model)))


def add_rollups(
    connection: Connection,
    model: str,
    changes: Mapping[RollupKey, RollupCounts],
    *,
    after: RollupProgress,
    until: RollupProgress,
) -> None:
    """Add counts and advance the progress in the caller's transaction.

    Parameters
    ----------
    connection : Connection
    model : str
    changes : mapping of RollupKey to Tally
        They are added to the hour and to its day.
    after, until : Reach
        The rows counted are those with numbers in (after, until].

    Raises
    ------
    Conflict
        When another process counted rows since `after` was read; then nothing may be committed.
    """
    if read_rollup_progress(connection, model) != after:
        raise Conflict(f"{model}: another process rolled predictions up in between; run it again")
    spread: dict[tuple[Any, ...], RollupCounts] = {}
    for key, tally in changes.items():
        for span, length in _GRANULARITY_US.items():
            place = (key.section, span, key.hour_start - key.hour_start % length, key.digest, key.source, key.weight)
            spread[place] = spread[place] + tally if place in spread else tally
    places = list(spread)
    for at in range(0, len(places), _KEYS_PER_QUERY):
        part = places[at : at + _KEYS_PER_QUERY]
        _add_to_stored(connection, model, {place: spread[place] for place in part})
    for name, value, old in zip(_counter_names(model), until, after, strict=True):
        if value != old:
            _set_counter(connection, name, value)


def clear_rollups(connection: Connection, model: str, *, since: int | None = None) -> None:
    """Delete the roll-ups of a model, or only those from `since` on, so that they are rebuilt from the log."""
    where, totals = rollups.c.model == model, {}
    if since is not None:
        hour, day = since - since % HOUR_US, since - since % DAY_US
        totals = _sum_hours_of_day(connection, model, day, until=hour)
        first = case((rollups.c.granularity == "hour", hour), else_=day)
        where = where & (rollups.c.bucket_start >= first)
    connection.execute(delete(rollups).where(where))
    if totals:
        _add_to_stored(connection, model, totals)
    for name in _counter_names(model):
        _set_counter(connection, name, 0)


def read_rollups(
    connection: Connection,
    model: str,
    section: str,
    *,
    since: int,
    until: int,
    granularity: Literal["hour", "day"],
    digest: str | None = None,
    sources: Sequence[str] = (),
) -> list[tuple[RollupKey, RollupCounts]]:
    """Return the counts of the hours, or days, that begin in [since, until), of one package and of some sources."""
    where = [
        rollups.c.model == model,
        rollups.c.section == section,
        rollups.c.granularity == granularity,
        rollups.c.bucket_start >= since,
        rollups.c.bucket_start < until,
    ]
    if digest is not None:
        where.append(rollups.c.digest == digest)
    if sources:
        where.append(rollups.c.source.in_(sources))
    rows = connection.execute(select(rollups).where(*where))
    return [
        (RollupKey(section, row.digest, row.source, row.bucket_start, row.weight), _counts_from_row(row))
        for row in rows
    ]


def count_rows_by_hour(
    connection: Connection,
    model: str,
    section: str,
    *,
    since: int,
    until: int,
    sources: Sequence[str] = (),
    digest: str | None = None,
) -> dict[int, tuple[int, float]]:
    """Return the counted rows of each hour that begins in [since, until), and the predictions that they represent.

    `sources` limits them to those sources, `digest` to one package.
    """
    sums = func.sum(rollups.c.n_rows), func.sum(rollups.c.n_rows * rollups.c.weight)
    query = select(rollups.c.bucket_start, *sums).where(
        rollups.c.model == model,
        rollups.c.section == section,
        rollups.c.granularity == "hour",
        rollups.c.bucket_start >= since,
        rollups.c.bucket_start < until,
    )
    if sources:
        query = query.where(rollups.c.source.in_(sources))
    if digest is not None:
        query = query.where(rollups.c.digest == digest)
    rows = connection.execute(query.group_by(rollups.c.bucket_start))
    return {start: (int(n_rows), float(n_predictions)) for start, n_rows, n_predictions in rows}


def _sum_hours_of_day(
    connection: Connection, model: str, day: int, *, until: int
) -> dict[tuple[Any, ...], RollupCounts]:
    """Return the counts of the hours of a day before `until`, as counts of the day."""
    counts_by_key: dict[tuple[Any, ...], RollupCounts] = {}
    is_one = (
        (rollups.c.model == model) & (rollups.c.granularity == "hour") & rollups.c.bucket_start.between(day, until - 1)
    )
    for row in connection.execute(select(rollups).where(is_one)):
        place = (row.section, "day", day, row.digest, row.source, row.weight)
        counts_by_key[place] = (
            counts_by_key[place] + _counts_from_row(row) if place in counts_by_key else _counts_from_row(row)
        )
    return counts_by_key


def _add_to_stored(connection: Connection, model: str, changes: Mapping[tuple[Any, ...], RollupCounts]) -> None:
    """Add changes to the stored counts."""
    columns = rollups.c
    place = (columns.section, columns.granularity, columns.bucket_start, columns.digest, columns.source, columns.weight)
    is_one = (columns.model == model) & tuple_(*place).in_(list(changes))
    stored = {
        (row.section, row.granularity, row.bucket_start, row.digest, row.source, row.weight): _counts_from_row(row)
        for row in connection.execute(select(rollups).where(is_one))
    }
    if stored:
        connection.execute(delete(rollups).where(is_one))
    rows = []
    for key, change in changes.items():
        tally = stored[key] + change if key in stored else change
        if (tally.counts < 0).any() or tally.n_rows < 0:
            raise IntegrityError(f"{model}: roll-ups would fall below zero; run `mlops monitor rebuild`")
        names = ("section", "granularity", "bucket_start", "digest", "source", "weight")
        rows.append(
            {
                "model": model,
                **dict(zip(names, key, strict=True)),
                "n_rows": tally.n_rows,
                "confidence_sum": tally.confidence_sum,
                "counts": zlib.compress(tally.counts.astype("<u4").tobytes(), 1),
            }
        )
    connection.execute(insert(rollups), rows)


def _counts_from_row(row: Any) -> RollupCounts:
    try:
        counts = np.frombuffer(zlib.decompress(row.counts), dtype="<u4").astype(np.int64)
    except (zlib.error, ValueError) as error:
        raise IntegrityError(
            f"{row.model}: roll-ups of {row.bucket_start} cannot be read ({error}); run `mlops monitor rebuild`"
        ) from error
    return RollupCounts(int(row.n_rows), float(row.confidence_sum), counts)


def _counter_names(model: str) -> tuple[str, str]:
    return f"rollups {model}"[:190], f"rollups outcomes {model}"[:190]


def _set_counter(connection: Connection, name: str, value: int) -> None:
    changed = connection.execute(update(counters).where(counters.c.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(counters).values(name=name, value=value))
