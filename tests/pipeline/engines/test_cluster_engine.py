"""The schedule of all clusters: few items are submitted at once, a lost one runs again, and the rest is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.engines.cluster_engine import ClusterEngine
from pipeline.errors import DataError, DependencyUnavailable
from tests.pipeline.engines.item_functions import square

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.engines.item_call import ItemCall
    from pipeline.engines.worker_deaths import WorkerDeaths


class _SmallCluster(ClusterEngine):
    """A cluster in this process: tasks end in the reverse order, and some lose their worker."""

    def __init__(self, *, n_deaths: int = 0, n_submitted: int | None = None, retries: int = 2) -> None:
        super().__init__(retries=retries, n_submitted=n_submitted)
        self.n_deaths = n_deaths
        self.most_running = 0
        self.cancelled: list[Any] = []

    def _n_parallel(self) -> int:
        return 2

    def _share(self, call: ItemCall[Any, Any]) -> ItemCall[Any, Any]:
        return call

    def _submit(self, shared: ItemCall[Any, Any], item: bytes) -> Any:
        return _Task(shared, item)

    def _wait_for_ended(self, running: Mapping[Any, int], *, is_more: bool) -> list[Any]:  # noqa: ARG002 - one ends
        self.most_running = max(self.most_running, len(running))
        return [list(running)[-1]]

    def _result(self, task: Any, position: int, deaths: WorkerDeaths) -> bytes | None:
        if self.n_deaths:
            self.n_deaths -= 1
            deaths.add(position, "killed")
            return None
        return task.call(task.item)

    def _cancel(self, running: Iterable[Any], shared: Any) -> None:  # noqa: ARG002 - there is nothing to drop of it
        self.cancelled = [*running]


class _GrowingCluster(_SmallCluster):
    """A cluster that gets a second worker while the first one has not ended an item."""

    n_workers = 1

    def _n_parallel(self) -> int:
        return self.n_workers

    def _wait_for_ended(self, running: Mapping[Any, int], *, is_more: bool) -> list[Any]:
        if self.n_workers == 1 and is_more:
            self.n_workers = 2
            return []
        return super()._wait_for_ended(running, is_more=is_more)


class _Task:
    def __init__(self, call: ItemCall[Any, Any], item: bytes) -> None:
        self.call, self.item = call, item


def refuse(number: int) -> int:
    raise DataError(f"row {number} is refused")


@pytest.mark.parametrize("n_deaths", [0, 2])
def test_each_item_has_one_result_also_after_deaths(n_deaths: int) -> None:
    cluster = _SmallCluster(n_deaths=n_deaths)
    assert sorted(cluster.map(square, range(9))) == [(number, number * number) for number in range(9)]
    assert cluster.cancelled == []


@pytest.mark.parametrize(("n_submitted", "expected"), [(None, 4), (1, 1), (7, 7)])
def test_few_items_are_submitted_at_once(n_submitted: int | None, expected: int) -> None:
    cluster = _SmallCluster(n_submitted=n_submitted)
    assert len(list(cluster.map(square, range(20)))) == 20
    assert cluster.most_running == expected


@pytest.mark.parametrize(("n_items", "expected"), [(20, 4), (2, 2)])
def test_a_worker_that_comes_gets_items_before_one_ends(n_items: int, expected: int) -> None:
    cluster = _GrowingCluster()
    assert len(list(cluster.map(square, range(n_items)))) == n_items
    assert cluster.most_running == expected


def test_an_item_that_ends_each_worker_ends_the_run_and_drops_the_others() -> None:
    cluster = _SmallCluster(n_deaths=9, retries=1)
    with pytest.raises(DependencyUnavailable, match=r"part 3 ended its worker 2 times \(killed\)"):
        list(cluster.map(square, range(20)))
    assert len(cluster.cancelled) == 3


def test_the_error_of_an_item_reaches_the_caller_and_drops_the_others() -> None:
    cluster = _SmallCluster()
    with pytest.raises(DataError, match="row 3 is refused"):
        list(cluster.map(refuse, range(20)))
    assert len(cluster.cancelled) == 3
