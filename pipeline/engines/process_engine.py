"""Run items in processes of this machine."""

from __future__ import annotations

from collections import deque
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.engines.item_call import ItemCall, dump_value, read_result
from pipeline.engines.worker_deaths import WorkerDeaths
from pipeline.engines.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["ProcessEngine"]

T = TypeVar("T")
R = TypeVar("R")


class ProcessEngine:
    """Runs items in worker processes, which end with this process.

    A worker that dies costs the one item that it ran; the other workers continue. Ctrl-C and an error end all workers
    that run an item.

    Parameters
    ----------
    n_workers : int
    retries : int
        How often an item runs again after its worker died.
    """

    def __init__(self, *, n_workers: int, retries: int) -> None:
        self._n_workers = n_workers
        self._retries = retries
        self._idle: list[WorkerProcess] = []

    def map(self, function: Callable[[T], R], items: Sequence[T], *, noun: str = "part") -> Iterator[tuple[int, R]]:
        """Yield (position, result) in the order in which items end; see `PartEngine.map`."""
        call = dump_value(ItemCall(function))
        deaths = WorkerDeaths(items, retries=self._retries, noun=noun)
        waiting = deque(range(len(items)))
        running: dict[Any, tuple[int, WorkerProcess]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._n_workers:
                    position, worker = waiting.popleft(), self._take_worker()
                    running[worker.connection] = position, worker
                    worker.start(call, dump_value(items[position]))
                for connection in wait(list(running)):
                    position, worker = running.pop(connection)
                    try:
                        result = worker.result()
                    except EOFError:
                        deaths.add(position, worker.end())
                        waiting.appendleft(position)
                        continue
                    self._idle.append(worker)
                    yield position, read_result(result)
        finally:
            for _, worker in running.values():
                worker.end()

    def _take_worker(self) -> WorkerProcess:
        """Return an idle worker, or a new one; those that died while they were idle are left out."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.end()
        return WorkerProcess()

    def close(self) -> None:
        """End the workers."""
        while self._idle:
            self._idle.pop().end()
