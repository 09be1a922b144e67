"""What engines of clusters share: a few items more than run at once are submitted, and one more for each that ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.engines.item_call import ItemCall, dump_value, read_result, software_versions
from pipeline.engines.worker_deaths import WorkerDeaths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["ClusterEngine"]

T = TypeVar("T")
R = TypeVar("R")


class ClusterEngine(ABC):
    """Runs items as tasks of a cluster.

    Parameters
    ----------
    retries : int
        How often an item runs again after its worker died.
    n_submitted : int or None
        How many items are submitted and have not ended; None for two for each item that the cluster runs at once.
    """

    def __init__(self, *, retries: int, n_submitted: int | None) -> None:
        self._retries = retries
        self._n_submitted = n_submitted

    def map(self, function: Callable[[T], R], items: Sequence[T], *, noun: str = "part") -> Iterator[tuple[int, R]]:
        """Yield (position, result) in the order in which items end; see `PartEngine.map`."""
        shared = self._share(ItemCall(function, versions=software_versions()))
        deaths = WorkerDeaths(items, retries=self._retries, noun=noun)
        waiting = list(range(len(items) - 1, -1, -1))
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and self._has_room(running):
                    position = waiting.pop()
                    running[self._submit(shared, dump_value(items[position]))] = position
                for task in self._wait_for_ended(running, is_more=bool(waiting)):
                    position = running.pop(task)
                    result = self._result(task, position, deaths)
                    if result is None:
                        waiting.append(position)
                    else:
                        yield position, read_result(result)
        finally:
            self._cancel(running, shared)

    def _has_room(self, running: Mapping[Any, int]) -> bool:
        """Whether another item may be submitted; the first one waits for a first worker."""
        n_submitted = 2 * self._n_parallel() if self._n_submitted is None else self._n_submitted
        return len(running) < max(1, n_submitted)

    @abstractmethod
    def _n_parallel(self) -> int:
        """Return how many items the cluster runs at once."""

    @abstractmethod
    def _share(self, call: ItemCall[Any, Any]) -> Any:
        """Make a call known to the cluster once, and return its handle."""

    @abstractmethod
    def _submit(self, shared: Any, item: bytes) -> Any:
        """Submit a task that calls what was shared, and return its handle, which can be hashed."""

    @abstractmethod
    def _wait_for_ended(self, running: Mapping[Any, int], *, is_more: bool) -> Iterable[Any]:
        """Return tasks that ended; none when items are left (`is_more`) and workers came that have room for them."""

    @abstractmethod
    def _result(self, task: Any, position: int, deaths: WorkerDeaths) -> bytes | None:
        """Return the result of a task that ended; None when its item has to run again."""

    @abstractmethod
    def _cancel(self, running: Iterable[Any], shared: Any) -> None:
        """Drop tasks that did not end, and what was shared."""
