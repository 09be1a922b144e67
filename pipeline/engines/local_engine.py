"""Run items in this process, or in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import DependencyUnavailable
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

__all__ = ["InlineEngine", "ProcessEngine"]

T = TypeVar("T")
R = TypeVar("R")
_POLL_INTERVAL_S = 0.2


class InlineEngine:
    """Runs items one after the other in this process."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """Yield (position, result) in the order of `items`; see `PartEngine.map`."""
        for position, item in enumerate(items):
            yield position, function(item)


class ProcessEngine:
    """Runs items in worker processes, which end with this process.

    Parameters
    ----------
    n_workers : int
    retries : int
        How often workers may die during one `map`; each time new workers continue with the items that have no result.
    """

    def __init__(self, *, n_workers: int, retries: int) -> None:
        self._n_workers = n_workers
        self._retries = retries
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """Yield (position, result) in the order in which items end; see `PartEngine.map`."""
        pending = dict(enumerate(items))
        n_deaths = 0
        while pending:
            try:
                for position, result in self._run_all(function, pending):
                    del pending[position]
                    yield position, result
            except BrokenProcessPool as error:
                self.close()
                n_deaths += 1
                if n_deaths > self._retries:
                    raise DependencyUnavailable(
                        f"engine: workers died {pluralize(n_deaths, 'time')}; {pluralize(len(pending), 'part')}"
                        " did not run; look for a lack of memory (dmesg), lower engine.part_rows or engine.workers"
                    ) from error

    def _run_all(self, function: Callable[[T], R], items: dict[int, T]) -> Iterator[tuple[int, R]]:
        """Submit a few items more than there are workers, and another one for each that ends."""
        pool = self._open_pool()
        waiting = iter(list(items.items()))
        running: dict[Future[R], int] = {}
        while True:
            while len(running) < 2 * self._n_workers and (item := next(waiting, None)) is not None:
                running[pool.submit(function, item[1])] = item[0]
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()

    def _open_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A forked process would share the threads' locks of this one.
            self._pool = ProcessPoolExecutor(
                self._n_workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_exit_with_parent,
                initargs=(os.getpid(),),
            )
        return self._pool

    def close(self) -> None:
        """End the workers; items that did not start are left out."""
        pool: Any = self._pool
        self._pool = None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _exit_with_parent(parent: int) -> None:
    """End this worker when the process that started it is gone, so that nothing is written without it."""
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_INTERVAL_S)
    os._exit(1)
