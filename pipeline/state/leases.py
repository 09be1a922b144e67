"""Leases: at most one process acts under a name at a time, also where processes run on several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from pipeline.state.tables import leases

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["release_lease", "renew_lease"]


def renew_lease(connection: Connection, name: str, holder: str, *, now: int, duration_us: int) -> str | None:
    """Take or renew a lease in a writing transaction; return None, or the other holder that has it.

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
    values = {"holder": holder, "expires_at": now + duration_us}
    row = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).first()
    if row is None:
        connection.execute(insert(leases).values(name=name, **values))
    elif row.holder == holder or row.expires_at <= now:
        connection.execute(update(leases).where(leases.c.name == name).values(**values))
    else:
        return str(row.holder)
    return None


def release_lease(connection: Connection, name: str, holder: str) -> None:
    """End a lease in a writing transaction; does nothing where another process holds it."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
