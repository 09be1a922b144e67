"""Count logged predictions by hour in the bins of their package, each once, with the outcomes known so far."""

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
    """Count the predictions and outcomes that were logged since the last call; return the number of predictions.

    Counts are added in short transactions of their own, together with the position in the log. So each row is
    counted once, even when the process is killed. A changed outcome replaces the earlier one. An outcome whose
    prediction is not counted yet is counted with it.

    Parameters
    ----------
    state : State
    model : str
    packages : callable
        Returns the package with a digest, None when it cannot be loaded; of its rows only the number is stored.
    """
    n_rows = 0
    while True:
        with state.reading() as connection:
            after = store.read_rollup_progress(connection, model)
            # Outcomes first: the outcome of a prediction that is not counted yet is counted with it, not afterwards.
            changed, before, last = store.changed_outcomes(connection, model, after, limit=_BATCH_ROWS)
        if last != after.last_outcome_seq:
            _try_add(
                state,
                model,
                _outcome_corrections(changed, before, packages),
                after=after,
                until=RollupProgress(after.last_prediction_seq, last),
            )
            continue
        progress = after
        for chunk in _prefetch(_read_chunks(state, model, after)):
            until = RollupProgress(chunk.last_seq, after.last_outcome_seq)
            if not _try_add(state, model, _tally_chunk(chunk, packages), after=progress, until=until):
                break
            progress = until
            n_rows += chunk.n_rows
        else:
            if progress == after:
                return n_rows


def _read_chunks(state: State, model: str, after: RollupProgress) -> Iterator[LogChunk]:
    """Yield the predictions after `after` in chunks, with their outcomes up to it, each in its own transaction."""
    while True:
        with state.reading() as connection:
            chunk = store.read_chunk_after(connection, model, after, limit=_BATCH_ROWS)
        if chunk is None:
            return
        yield chunk
        after = RollupProgress(chunk.last_seq, after.last_outcome_seq)


def _prefetch(chunks: Iterator[LogChunk]) -> Iterator[LogChunk]:
    """Yield chunks; a thread reads the next one while the caller counts, because database drivers release the GIL."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="roll-up") as reader:
        pending = reader.submit(next, chunks, None)
        while (chunk := pending.result()) is not None:
            pending = reader.submit(next, chunks, None)
            yield chunk


def _try_add(state: State, model: str, changes: RollupChanges, *, after: RollupProgress, until: RollupProgress) -> bool:
    """Add changes; return False when another process has added them first."""
    try:
        with state.writing() as connection:
            store.add_rollups(connection, model, changes, after=after, until=until)
    except Conflict:
        with state.reading() as connection:
            if store.read_rollup_progress(connection, model) == after:
                raise  # no other process added them: the database is locked
        return False
    return True


def rebuild_rollups(state: State, model: str, packages: PackageLookup) -> int:
    """Recount a model from the log; return the number of rows.

    Hours before the oldest row of the log do not change, and no hour changes when the log is empty.
    """
    with state.reading() as connection:
        oldest = store.oldest_prediction_at(connection, model)
    if oldest is None:
        return 0
    with state.writing() as connection:
        store.clear_rollups(connection, model, since=oldest)
    return roll_up(state, model, packages)


def tally_rows(rows: Sequence[LoggedRow], packages: PackageLookup) -> RollupChanges:
    """Return the tallies of logged rows by section, package, source, hour and sampling weight."""
    changes: RollupChanges = {}
    for digest, members in _group_by_digest(rows):
        keys, groups = _group_keys(members)
        columns = LogColumns.from_rows(members)
        changes |= _tally_columns(columns, digest, packages, keys=keys, groups=groups)
    return changes


def _tally_chunk(chunk: LogChunk, packages: PackageLookup) -> RollupChanges:
    """Return the tallies of a chunk of the log, as `tally_rows` does."""
    changes: RollupChanges = {}
    for rows in chunk.row_chunks:
        columns = LogColumns.from_chunk(rows, chunk.outcome_chunk)
        hours, groups = np.unique(columns.predicted_at // HOUR_US, return_inverse=True)
        keys = [(rows.source, hour * HOUR_US, rows.weight) for hour in hours.tolist()]
        changes |= _tally_columns(columns, rows.digest, packages, keys=keys, groups=groups)
    return changes


def _tally_columns(
    columns: LogColumns, digest: str, packages: PackageLookup, *, keys: Sequence[GroupKey], groups: Ints
) -> RollupChanges:
    """Return the tallies of rows of one package; `groups` has the position of each row's key in `keys`."""
    package = packages(digest)
    if package is None:
        n_rows = np.bincount(groups, minlength=len(keys)).tolist()
        sums = np.bincount(groups, weights=columns.confidence, minlength=len(keys)).tolist()
        tallies = [RollupCounts(n, confidence_sum, _NO_COUNTS) for n, confidence_sum in zip(n_rows, sums, strict=True)]
        return {RollupKey(UNCOUNTED, digest, *key): tally for key, tally in zip(keys, tallies, strict=True)}
    return {
        RollupKey(section, digest, *key): tally
        for section, tallies in RollupLayout(package).tally_by_section(columns, groups, len(keys)).items()
        for key, tally in zip(keys, tallies, strict=True)
        if tally.n_rows
    }


def _outcome_corrections(
    rows: Sequence[LoggedRow], before: Sequence[str | None], packages: PackageLookup
) -> RollupChanges:
    """Return the changes of the counts of outcomes: those of `rows` are added, those of `before` removed."""
    earlier = dict(zip((row.seq for row in rows), before, strict=True))
    changes: RollupChanges = {}
    for digest, members in _group_by_digest([row for row in rows if row.outcome != earlier[row.seq]]):
        package = packages(digest)
        if package is None:
            continue
        layout = RollupLayout(package)
        keys, groups = _group_keys(members)
        columns = LogColumns.from_rows(members)
        added = layout.tally_outcomes(columns, groups, len(keys))
        earlier_outcomes = DictionaryColumn.encode(earlier[row.seq] for row in members)
        removed = layout.tally_outcomes(replace(columns, outcome=earlier_outcomes), groups, len(keys))
        for key, new, old in zip(keys, added, removed, strict=True):
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
    """Return the distinct sources, hours and weights of rows, and the position of each row's key."""
    keys: dict[GroupKey, int] = {}
    positions = [
        keys.setdefault((row.source, row.predicted_at - row.predicted_at % HOUR_US, row.weight), len(keys))
        for row in rows
    ]
    return list(keys), np.array(positions, dtype=np.int64)
