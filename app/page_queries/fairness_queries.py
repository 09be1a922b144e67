"""Query how the groups of a version did in the windows of the monitor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.state.monitor_runs import read_monitor_runs

from .. import queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["DAYS", "recorded_groups_by_run"]

DAYS = 30
_N_POINTS = 120


def recorded_groups_by_run(model: str, version: int) -> list[tuple[int, Sequence[Mapping[str, Any]]]]:
    """Return the end of the window and the groups of monitor runs about a version in the last 30 days."""
    if not queries.has_state():
        return []
    return _cached_groups(str(queries.project_root()), os.environ.get(store.STATE_URL_ENV), model, version)


@queries.cached(30, spinner=False)
def _cached_groups(
    folder: str,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    model: str,
    version: int,
) -> list[tuple[int, Sequence[Mapping[str, Any]]]]:
    state = queries.state()
    period_us = DAYS * store.DAY_US
    with state.reading() as connection:
        runs = read_monitor_runs(
            connection,
            model,
            version=version,
            since=state.clock() - period_us,
            interval_us=period_us // _N_POINTS,
        )
    return [(run.until, run.summary.get("fairness", [])) for run in runs]
