"""Store what each run of the loop considered, what it did, and why nothing happened."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.state.sequence import next_number
from pipeline.state.tables import loop_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

__all__ = ["LOOP_ACTOR", "LoopDecision", "LoopRun", "add_loop_run", "find_loop_run", "last_loop_run", "read_loop_runs"]

LOOP_ACTOR = "loop"  # who decided, in the audit trail, where no person did

_MAX_RUNS_PER_MODEL = 10_000  # more than a year of a run every hour


@dataclass(frozen=True, slots=True)
class LoopDecision:
    """What a part of the loop did about one subject, or why it did nothing.

    Attributes
    ----------
    subject : str
        What it is about, such as `trial 4`, `retrain 2` or `retraining`.
    action : str
        A word such as `promote` or `propose canary`; `none` where nothing happened.
    reason : str
        One sentence for people, with the values that decided.
    facts : mapping
        The same for programs.
    next_at : int or None
        When the part looks at it again, if that is not the next run; microseconds since 1970, UTC.
    error : str
        Name of the class in `pipeline.errors` that fits what stopped the action: `Conflict` where a person decided
        meanwhile, `GateRefused` where a gate or a guard refused. Empty where nothing did.
    """

    subject: str
    action: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    next_at: int | None = None
    error: str = ""

    @property
    def is_action(self) -> bool:
        """Whether something happened."""
        return self.action != "none"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "facts": dict(self.facts)}


@dataclass(frozen=True, slots=True)
class LoopRun:
    """One run of the loop: its decisions, and when the next run is due; microseconds since 1970, UTC."""

    model: str
    recorded_at: int
    holder: str
    decisions: tuple[LoopDecision, ...]
    next_at: int
    seq: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "decisions": [decision.as_dict() for decision in self.decisions]}


def add_loop_run(connection: Connection, run: LoopRun) -> int:
    """Add a run in the caller's transaction and return its number; the oldest runs are removed."""
    seq = next_number(connection, "loop_runs")
    decisions = canonical_json([decision.as_dict() for decision in run.decisions])
    values = {"model": run.model, "recorded_at": run.recorded_at, "holder": run.holder, "next_at": run.next_at}
    connection.execute(insert(loop_runs).values(seq=seq, decisions=decisions, **values))
    old = select(loop_runs.c.seq).where(loop_runs.c.model == run.model).order_by(loop_runs.c.seq.desc())
    last = connection.execute(old.offset(_MAX_RUNS_PER_MODEL).limit(1)).scalar()
    if last is not None:
        connection.execute(delete(loop_runs).where(loop_runs.c.model == run.model, loop_runs.c.seq <= last))
    return seq


def last_loop_run(connection: Connection, model: str) -> LoopRun | None:
    """Return the newest run of a model; None without one."""
    return next(iter(read_loop_runs(connection, model, limit=1)), None)


def read_loop_runs(connection: Connection, model: str, *, limit: int = 100, acted: bool = False) -> list[LoopRun]:
    """Return the newest runs of a model, the newest first; with `acted` only those in which something happened."""
    query = select(loop_runs).where(loop_runs.c.model == model).order_by(loop_runs.c.seq.desc())
    runs = map(_run_of, connection.execute(query if acted else query.limit(limit)))
    chosen = (run for run in runs if not acted or any(decision.is_action for decision in run.decisions))
    return list(islice(chosen, limit))


def find_loop_run(connection: Connection, seq: int) -> LoopRun:
    """Return the run with a number.

    Raises
    ------
    UsageError
        When there is none.
    """
    row = connection.execute(select(loop_runs).where(loop_runs.c.seq == seq)).first()
    if row is None:
        raise UsageError(f"no run of the loop has the number {seq}; `mlops loop list` shows them")
    return _run_of(row)


def _run_of(row: Row[Any]) -> LoopRun:
    decisions = tuple(LoopDecision(**decision) for decision in json.loads(row.decisions))
    return LoopRun(**{**row._asdict(), "decisions": decisions})
