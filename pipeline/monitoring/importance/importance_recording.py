"""Measure and store the importance of features on the labeled rows of the newest window with all its outcomes."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline import state as store
from pipeline.modeling.row_importance import measure_row_importance
from pipeline.monitoring.log.log_batch import LogBatch
from pipeline.package.package_store import PackageStore
from pipeline.project import paths
from pipeline.state import HOUR_US, LoopDecision, StoredImportance
from pipeline.text import iso_timestamp, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.root_config import Config
    from pipeline.modeling.row_importance import RowImportance
    from pipeline.package import Package
    from pipeline.state import LoggedRow, LoopContext, State

__all__ = ["labeled_sample", "record_importance"]

_SUBJECT = "importance"


def record_importance(context: LoopContext) -> list[LoopDecision]:
    """Store the importance of the Production version's features, once for each window.

    Windows of `monitoring.window_hours` follow each other without gaps. A window is measured when
    `monitoring.label_delay_hours` have passed after its end.

    Returns
    -------
    list of LoopDecision
        One: what was stored, or why nothing was.

    Raises
    ------
    IntegrityError
        When the package is missing or damaged.
    """
    with context.state.reading() as connection:
        digest = store.current_deployment(connection, context.model).digests.get("Production")
    if digest is None:
        return [LoopDecision(_SUBJECT, "none", "no version is in Production")]
    since, until, next_at = _due_window(context.config, context.now)
    with context.state.reading() as connection:
        stored = store.read_importances(connection, context.model, digest, since=since)
    if any(row.window_start == since for row in stored):  # a clock that was ahead leaves later windows
        reason = f"the window until {iso_timestamp(until)} is measured already"
        return [LoopDecision(_SUBJECT, "none", reason, next_at=next_at)]
    package = PackageStore(context.root / paths.PACKAGES).load(digest)
    return [_measure(context, package, since=since, until=until, next_at=next_at)]


def _due_window(config: Config, now: int) -> tuple[int, int, int]:
    """Return start and end of the newest window that is complete, and when the next one is."""
    length = int(config.monitoring.window_hours * HOUR_US)
    delay = int(config.monitoring.label_delay_hours * HOUR_US)
    until = (now - delay) // length * length
    return until - length, until, until + length + delay


def _measure(context: LoopContext, package: Package, *, since: int, until: int, next_at: int) -> LoopDecision:
    config = context.config
    unlogged = [column.name for column in package.schema.features if column.store != "full"]
    if unlogged:
        reason = f"the log does not store {', '.join(unlogged)} in full; set `store: full` to measure importance"
        return LoopDecision(_SUBJECT, "none", reason, next_at=next_at)
    rows = labeled_sample(context.state, config, package, since=since, until=until)
    facts = {"since": iso_timestamp(since), "until": iso_timestamp(until), "n_rows": len(rows)}
    window = f"the window from {facts['since']} until {facts['until']}"
    if len(rows) < config.monitoring.min_rows:
        reason = f"{pluralize(len(rows), 'labeled row')} in {window}; {config.monitoring.min_rows} are needed"
        return LoopDecision(_SUBJECT, "none", reason, facts, next_at=next_at)
    importance = _importance_of(rows, package, config)
    with context.state.writing() as connection:
        store.add_importances(connection, context.model, package.digest, list(_stored(importance, since)))
    reason = f"measured on {pluralize(len(rows), 'labeled row')} of {window}"
    return LoopDecision(_SUBJECT, "record importance", reason, facts, next_at=next_at)


def labeled_sample(state: State, config: Config, package: Package, *, since: int, until: int) -> list[LoggedRow]:
    """Return labeled rows of a package in [since, until), `monitoring.importance.max_rows` at most.

    A row is drawn in proportion to its weight in the log, without replacement (Efraimidis and Spirakis 2006). The
    log is read by the hour, so memory holds one hour and the sample.
    """
    monitoring, rng = config.monitoring, np.random.default_rng([config.seed, since // HOUR_US])
    drawn: list[tuple[float, int, Any]] = []
    for start in range(since, until, HOUR_US):
        with state.reading() as connection:
            logged = store.window_predictions(
                connection, config.name, since=start, until=min(start + HOUR_US, until), sources=monitoring.sources
            )
        rows = [row for row in logged if row.digest == package.digest and row.outcome in package.classes]
        for row, uniform in zip(rows, rng.random(len(rows)).tolist(), strict=True):
            keyed = (uniform ** (1.0 / row.weight), row.seq, row)
            if len(drawn) < monitoring.importance.max_rows:
                heapq.heappush(drawn, keyed)
            else:
                heapq.heappushpop(drawn, keyed)
    return [row for _, _, row in sorted(drawn, key=lambda keyed: keyed[1])]


def _importance_of(rows: list[LoggedRow], package: Package, config: Config) -> RowImportance:
    frame = pd.DataFrame(LogBatch.from_rows(rows, package).feature_values())
    codes = np.array([package.classes.index(str(row.outcome)) for row in rows], dtype=np.int64)
    options = config.monitoring.importance
    return measure_row_importance(
        package.serving_classifier, frame, codes, n_redraws=options.n_redraws, seed=config.seed
    )


def _stored(importance: RowImportance, since: int) -> Iterator[StoredImportance]:
    for name, sums in importance.loss.items():
        yield StoredImportance("loss", since, name, sums.n_rows, sums.total, sums.total_squares)
    for name, sums in importance.contribution.items():
        yield StoredImportance("contribution", since, name, sums.n_rows, sums.total, sums.total_squares)
