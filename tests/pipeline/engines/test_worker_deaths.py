"""Deaths are counted by item."""

from __future__ import annotations

import pytest

from pipeline.engines.worker_deaths import WorkerDeaths
from pipeline.errors import DependencyUnavailable


def test_an_item_may_lose_its_worker_as_often_as_is_declared() -> None:
    deaths = WorkerDeaths(["a", "b"], retries=2, noun="trial")
    for position in (0, 1, 0, 1):
        deaths.add(position, "SIGKILL")
    with pytest.raises(DependencyUnavailable, match=r"engine: trial 'b' ended its worker 3 times \(SIGTERM\)"):
        deaths.add(1, "SIGTERM")


def test_several_deaths_are_counted_at_once() -> None:
    with pytest.raises(DependencyUnavailable, match="part 5 ended its worker 4 times"):
        WorkerDeaths([5], retries=3, noun="part").add(0, "last", n_deaths=4)
