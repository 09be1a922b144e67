"""Hold the lease of the loop while a run lasts, so that one process at a time acts for a model."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import Conflict, MlopsError
from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.state import Lease, State

__all__ = ["LEASE_US", "HeldLease", "held_lease", "new_holder", "pause_us"]

LEASE_US = 60_000_000
_RENEW_EVERY_S = 20.0
_LOOK_EVERY_US = 20_000_000


def new_holder() -> str:
    """Return a name for this process: its machine, its number and a random part."""
    return f"{socket.gethostname()[:100]} process {os.getpid()} ({uuid.uuid4().hex[:8]})"


class HeldLease:
    """The lease of one run of the loop.

    Parameters
    ----------
    state : State
    name, holder : str
    """

    def __init__(self, state: State, name: str, holder: str) -> None:
        self._state, self._name, self._holder = state, name, holder
        self._expires_at = 0
        self._is_taken = False

    @property
    def is_lost(self) -> bool:
        """Whether another process has it, or it ended because the database was away for too long."""
        return self._is_taken or self._state.clock() >= self._expires_at

    def renew(self) -> None:
        """Take or renew it.

        Raises
        ------
        Conflict
            When another process has it, naming that process and the moment at which its lease ends.
        """
        with self._state.writing() as connection:
            now = self._state.clock()
            lease = store.renew_lease(connection, self._name, self._holder, now=now, duration_us=LEASE_US)
        if lease.holder != self._holder:
            self._is_taken = True
            raise Conflict(
                f"{self._name}: {lease.holder} has the lease until {iso_timestamp(lease.expires_at)} and renews it"
                " while it runs; try again later"
            )
        self._expires_at = lease.expires_at

    def renew_until(self, stop: threading.Event) -> None:
        """Renew it every 20 seconds until `stop` is set or another process has it."""
        while not self._is_taken and not stop.wait(_RENEW_EVERY_S):
            with suppress(MlopsError):  # `is_lost` reports it
                self.renew()

    def release(self) -> None:
        """End it, unless another process has it; without the database it ends by itself."""
        with suppress(MlopsError), self._state.writing() as connection:
            store.release_lease(connection, self._name, self._holder)


@contextmanager
def held_lease(state: State, name: str, holder: str) -> Iterator[HeldLease]:
    """Hold a lease in the block; a thread renews it meanwhile.

    Raises
    ------
    Conflict
        When another process has it.
    """
    lease = HeldLease(state, name, holder)
    lease.renew()
    stop = threading.Event()
    renewing = threading.Thread(target=lease.renew_until, args=(stop,), name="lease", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        stop.set()
        renewing.join()
        lease.release()


def pause_us(lease: Lease | None, *, now: int, due_at: int, is_urgent: bool = False) -> int:
    """Return how long a waiting loop pauses before it looks at the lease again; 0 when its run starts.

    A lease that ended but is still there is of a process that was killed during its run: the run starts at once.
    It also starts when something `is_urgent`, unless another process runs.
    """
    if lease is None:
        return 0 if is_urgent else max(min(due_at - now, _LOOK_EVERY_US), 0)
    return max(min(lease.expires_at - now, _LOOK_EVERY_US), 0)
