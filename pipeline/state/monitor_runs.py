"""Store the summary of each monitor run for other processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select

from pipeline.files import canonical_json
from pipeline.state.sequence import next_number
from pipeline.state.tables import monitor_runs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

__all__ = ["MonitorRun", "add_monitor_run", "last_monitor_run", "read_monitor_moments", "read_monitor_runs"]

_MAX_RUNS_PER_MODEL = 10_000  # of a model: a month of a run every five minutes


@dataclass(frozen=True, slots=True)
class MonitorRun:
    """One monitor run: its window [since, until) in microseconds since 1970, its verdict and its summary."""

    model: str
    version: int | None
    recorded_at: int
    since: int
    until: int
    verdict: str
    severity: str | None
    summary: dict[str, Any]
    seq: int = 0


def add_monitor_run(connection: Connection, run: MonitorRun) -> int:
    """Add a run in the caller's transaction and return its number; the oldest runs are removed."""
    seq = next_number(connection, "monitor_runs")
    values = {**asdict(run), "seq": seq, "summary": canonical_json(run.summary)}
    connection.execute(insert(monitor_runs).values(**values))
    old = select(monitor_runs.c.seq).where(monitor_runs.c.model == run.model).order_by(monitor_runs.c.seq.desc())
    last = connection.execute(old.offset(_MAX_RUNS_PER_MODEL).limit(1)).scalar()
    if last is not None:
        connection.execute(delete(monitor_runs).where(monitor_runs.c.model == run.model, monitor_runs.c.seq <= last))
    return seq


def last_monitor_run(connection: Connection, model: str) -> MonitorRun | None:
    """Return the newest run of a model."""
    query = select(monitor_runs).where(monitor_runs.c.model == model).order_by(monitor_runs.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _run_of(row)


def read_monitor_moments(connection: Connection, model: str, *, limit: int) -> tuple[int, ...]:
    """Return the moments of the last runs of a model, newest first."""
    query = select(monitor_runs.c.recorded_at).where(monitor_runs.c.model == model)
    return tuple(connection.execute(query.order_by(monitor_runs.c.seq.desc()).limit(limit)).scalars())


def read_monitor_runs(
    connection: Connection, model: str, *, version: int, since: int, interval_us: int
) -> list[MonitorRun]:
    """Return the last run about a version in each interval from `since` on, the oldest first.

    Intervals of the length `interval_us` begin at multiples of it, so that a month of runs is a few rows.
    """
    about = (
        monitor_runs.c.model == model, monitor_runs.c.version == version, monitor_runs.c.recorded_at >= since
    )  # fmt: skip
    last = select(func.max(monitor_runs.c.seq)).where(*about).group_by(monitor_runs.c.recorded_at // interval_us)
    rows = connection.execute(select(monitor_runs).where(monitor_runs.c.seq.in_(last)).order_by(monitor_runs.c.seq))
    return [_run_of(row) for row in rows]


def _run_of(row: Row[Any]) -> MonitorRun:
    return MonitorRun(**{**row._asdict(), "summary": json.loads(row.summary)})
