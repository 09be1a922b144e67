"""Count logged predictions by hour in the bins of the package that gave them, each once, with the outcomes known so far."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.monitoring.log.log_batch import DictionaryColumn, LogColumns
from pipeline.monitoring.log.rollup_layout import OUTCOMES, UNCOUNTED, RollupLayout
from pipeline.state import HOUR_US, RollupCounts, RollupKey, RollupProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pipeline.package import Package
    from pipeline.state import LogChunk, LoggedRow, State

    Ints = NDArray[np.int64]
    GroupKey = tuple[str, int, float]

    PackageLookup = Callable[[str], Package | None]
    RollupChanges = dict[RollupKey, RollupCounts]

__all__ = ["HOUR_US", "rebuild_rollups", "roll_up", "tally_rows"]

_BATCH_ROWS = 100_000
_NO_COUNTS = np.zeros(0, dtype=np.int64)


def roll_up(state: State, model: str, packages: PackageLookup) -> int:
    """Count the predictions and outcomes that were logged since the last time; return how many predictions.

    Rows are read and counted beside the writer and added in short transactions of their own, together with
    how far they reach, so that each is counted once, whatever is killed in between. An outcome that says
    something else than the one before takes its place; one whose prediction was not counted yet is counted with it.

    Parameters
    ----------
    state : State
    model : str
    packages : callable
        Returns the package with a digest; None where it is not to be had: of its rows only the number is kept.
    """
    n_rows = 0
    while True:
        with state.reading() as connection:
            after = store.read_rollup_progress(connection, model)
            # Outcomes first: one of a prediction that is still to be counted is counted with it, not afterwards.
            changed, before, last = store.changed_outcomes(connection, model, after, limit=_BATCH_ROWS)
        if last != after.last_outcome_seq:
            _try_add(
                state,
                model,
                _outcome_corrections(changed, before, packages),
                after,
                RollupProgress(after.last_prediction_seq, last),
            )
            continue
        reached = after
        for part in _prefetch(_read_chunks(state, model, after)):
            until = RollupProgress(part.last_seq, after.last_outcome_seq)
            if not _try_add(state, model, _tally_chunk(part, packages), reached, until):
                break
            reached = until
            n_rows += part.n_rows
        else:
            if reached == after:
                return n_rows


def _read_chunks(state: State, model: str, after: RollupProgress) -> Iterator[LogChunk]:
    """Yield the predictions beyond `after` in parts, with their outcomes within it, each read in a moment of its own."""
    while True:
        with state.reading() as connection:
            part = store.read_chunk_after(connection, model, after, limit=_BATCH_ROWS)
        if part is None:
            return
        yield part
        after = RollupProgress(part.last_seq, after.last_outcome_seq)


def _prefetch(parts: Iterator[LogChunk]) -> Iterator[LogChunk]:
    """Yield parts; while one is counted the next is read in a thread, since databases do not hold the interpreter."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="roll-up") as reader:
        coming = reader.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, parts, None)
            yield part


def _try_add(state: State, model: str, changes: RollupChanges, after: RollupProgress, until: RollupProgress) -> bool:
    """Add changes; false where somebody else was faster."""
    try:
        with state.writing() as connection:
            store.add_rollups(connection, model, changes, after=after, until=until)
    except Conflict:
        with state.reading() as connection:
            if store.read_rollup_progress(connection, model) == after:
                raise  # nobody was faster: the database itself is held
        return False
    return True


def rebuild_rollups(state: State, model: str, packages: PackageLookup) -> int:
    """Make the counts of a model anew from the log; return how many rows there were.

    Hours before that of the oldest row that the log still has are left as they are; all of them where it has none.
    """
    with state.reading() as connection:
        oldest = store.oldest_prediction_at(connection, model)
    if oldest is None:
        return 0
    with state.writing() as connection:
        store.clear_rollups(connection, model, since=oldest)
    return roll_up(state, model, packages)


def tally_rows(rows: Sequence[LoggedRow], packages: PackageLookup) -> RollupChanges:
    """Return the tallies of rows of the log by part, package, source, hour and weight."""
    changes: RollupChanges = {}
    for digest, members in _group_by_digest(rows):
        changes |= _tally_columns(LogColumns.from_rows(members), digest, *_group_keys(members), packages)
    return changes


def _tally_chunk(part: LogChunk, packages: PackageLookup) -> RollupChanges:
    """Return the tallies of a part of the log as `count_rows` does."""
    changes: RollupChanges = {}
    for rows in part.row_chunks:
        columns = LogColumns.from_chunk(rows, part.outcome_chunk)
        hours, groups = np.unique(columns.predicted_at // HOUR_US, return_inverse=True)
        keys = [(rows.source, hour * HOUR_US, rows.weight) for hour in hours.tolist()]
        changes |= _tally_columns(columns, rows.digest, keys, groups, packages)
    return changes


def _tally_columns(
    columns: LogColumns, digest: str, keys: Sequence[GroupKey], groups: Ints, packages: PackageLookup
) -> RollupChanges:
    """Return the tallies of rows that one package gave; `groups` says which of `keys` each row belongs to."""
    package = packages(digest)
    if package is None:
        n_rows = np.bincount(groups, minlength=len(keys)).tolist()
        total = np.bincount(groups, weights=columns.confidence, minlength=len(keys)).tolist()
        tallies = [RollupCounts(n, confidence, _NO_COUNTS) for n, confidence in zip(n_rows, total, strict=True)]
        return {RollupKey(UNCOUNTED, digest, *key): one for key, one in zip(keys, tallies, strict=True)}
    return {
        RollupKey(part, digest, *key): tally
        for part, tallies in RollupLayout(package).tally_by_section(columns, groups, len(keys)).items()
        for key, tally in zip(keys, tallies, strict=True)
        if tally.n_rows
    }


def _outcome_corrections(
    rows: Sequence[LoggedRow], before: Sequence[str | None], packages: PackageLookup
) -> RollupChanges:
    """Return what changes of the outcomes: those of `rows` come, those of `before` go."""
    earlier = dict(zip((row.seq for row in rows), before, strict=True))
    changes: RollupChanges = {}
    for digest, members in _group_by_digest([row for row in rows if row.outcome != earlier[row.seq]]):
        package = packages(digest)
        if package is None:
            continue
        layout = RollupLayout(package)
        keys, groups = _group_keys(members)
        columns = LogColumns.from_rows(members)
        came = layout.tally_outcomes(columns, groups, len(keys))
        gone = DictionaryColumn.encode(earlier[row.seq] for row in members)
        went = layout.tally_outcomes(replace(columns, outcome=gone), groups, len(keys))
        for key, new, old in zip(keys, came, went, strict=True):
            change = RollupCounts(new.n_rows - old.n_rows, 0.0, new.counts - old.counts)
            if change.n_rows or change.counts.any():
                changes[RollupKey(OUTCOMES, digest, *key)] = change
    return changes


def _group_by_digest(rows: Sequence[LoggedRow]) -> Iterable[tuple[str, list[LoggedRow]]]:
    if len({row.digest for row in rows}) == 1:
        return [(rows[0].digest, list(rows))]
    ordered = sorted(rows, key=lambda row: row.digest)
    return [(digest, list(members)) for digest, members in groupby(ordered, key=lambda row: row.digest)]


def _group_keys(rows: Sequence[LoggedRow]) -> tuple[list[GroupKey], Ints]:
    """Return the sources, hours and weights among rows, and the position of each row's."""
    keys: dict[GroupKey, int] = {}
    at = [
        keys.setdefault((row.source, row.predicted_at - row.predicted_at % HOUR_US, row.weight), len(keys))
        for row in rows
    ]
    return list(keys), np.array(at, dtype=np.int64)
