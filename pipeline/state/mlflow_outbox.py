"""Store updates pending for MLflow in the transaction of the change; a later command sends them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from pipeline.files import canonical_json
from pipeline.state.sequence import next_number
from pipeline.state.tables import mlflow_outbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

__all__ = ["OutboxTask", "enqueue_task", "mark_task_done", "mark_task_failed", "read_pending_tasks"]


@dataclass(frozen=True, slots=True)
class OutboxTask:
    """A pending update; `attempts` failed so far, the last one with `error`."""

    seq: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    error: str | None


def enqueue_task(connection: Connection, kind: str, payload: Mapping[str, Any], *, at: int) -> int:
    """Add a task in the caller's transaction, and return its number."""
    seq = next_number(connection, "mlflow_outbox")
    row = {"seq": seq, "kind": kind, "payload": canonical_json(dict(payload)), "created_at": at, "attempts": 0}
    connection.execute(insert(mlflow_outbox).values(**row))
    return seq


def read_pending_tasks(connection: Connection) -> list[OutboxTask]:
    """Return the tasks that are not done, in the order in which they were added."""
    rows = connection.execute(
        select(mlflow_outbox).where(mlflow_outbox.c.done_at.is_(None)).order_by(mlflow_outbox.c.seq)
    )
    return [OutboxTask(row.seq, row.kind, json.loads(row.payload), row.attempts, row.error) for row in rows]


def mark_task_done(connection: Connection, task: OutboxTask, *, at: int) -> None:
    """Mark a task as done; tasks must be idempotent, because a process may be killed before this mark."""
    connection.execute(update(mlflow_outbox).where(mlflow_outbox.c.seq == task.seq).values(done_at=at, error=None))


def mark_task_failed(connection: Connection, task: OutboxTask, error: str) -> None:
    """Record a failed attempt of a task with its error."""
    values = {"attempts": task.attempts + 1, "error": error[:500]}
    connection.execute(update(mlflow_outbox).where(mlflow_outbox.c.seq == task.seq).values(**values))
