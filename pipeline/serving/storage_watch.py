"""Check the state database twice a second, so that a lost one is noticed without requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.serving.worker import PredictionWorker
    from pipeline.state import State

__all__ = ["StorageWatch"]

_INTERVAL_S = 0.5


class StorageWatch:
    """A task that checks the storage, sets the worker's `storage_error`, and lets a worker that failed try again.

    Parameters
    ----------
    state : State
    worker : PredictionWorker
        Refuses requests that must be logged while `storage_error` is set.
    after_check : callable
        Called on the event loop after each check.
    """

    def __init__(self, state: State, worker: PredictionWorker, after_check: Callable[[], None]) -> None:
        self._state = state
        self._worker = worker
        self._after_check = after_check
        self._stop_event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task on the running event loop."""
        self._task = asyncio.create_task(self._run(), name="watch-storage")

    async def stop(self) -> None:
        """End after the check in progress: its thread would leave a connection open."""
        self._stop_event.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self) -> None:
        while not self._stop_event.is_set():
            self._worker.storage_error = await asyncio.to_thread(self._check)
            self._worker.check_log()
            self._after_check()
            try:
                await asyncio.wait_for(self._stop_event.wait(), _INTERVAL_S)
            except TimeoutError:
                continue

    def _check(self) -> str | None:
        try:
            self._state.check_storage()
        except Exception as error:  # noqa: BLE001 - whatever keeps the database from being read, the next check follows
            return str(error).strip().partition("\n")[0]
        return None
