"""Leases: at most one process acts under a name at a time, also where processes run on several machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from pipeline.state.tables import leases

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Lease", "loop_lease_name", "read_lease", "release_lease", "renew_lease"]


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act under a name, and until when (microseconds since 1970, UTC)."""

    name: str
    holder: str
    expires_at: int


def loop_lease_name(model: str) -> str:
    """Return the name of the lease of a model's loop."""
    return f"loop {model}"


def renew_lease(connection: Connection, name: str, holder: str, *, now: int, duration_us: int) -> Lease:
    """Take or renew a lease in a writing transaction; return it, or that of another holder which did not end yet.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    name : str
        What the lease is about, such as `loop personality_model`.
    holder : str
        Identifies the process.
    now : int
        Microseconds since 1970, UTC.
    duration_us : int
        Microseconds until the lease ends by itself.
    """
    other = read_lease(connection, name)
    if other is not None and other.holder != holder and other.expires_at > now:
        return other
    lease = Lease(name, holder, now + duration_us)
    values = {"holder": holder, "expires_at": lease.expires_at}
    if other is None:
        connection.execute(insert(leases).values(name=name, **values))
    else:
        connection.execute(update(leases).where(leases.c.name == name).values(**values))
    return lease


def read_lease(connection: Connection, name: str) -> Lease | None:
    """Return the lease of a name; None where no process has it. One that ended is of a process that was killed."""
    row = connection.execute(select(leases).where(leases.c.name == name)).first()
    return None if row is None else Lease(row.name, row.holder, row.expires_at)


def release_lease(connection: Connection, name: str, holder: str) -> None:
    """End a lease in a writing transaction; does nothing where another process holds it."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
