"""Items run on a Dask cluster, and a worker that dies loses none."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Timer
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.engines import open_engine
from pipeline.engines.dask_engine import open_dask
from pipeline.engines.item_call import ItemCall, dump_value, read_result, software_versions
from pipeline.engines.worker_deaths import WorkerDeaths
from pipeline.errors import DataError, DependencyUnavailable
from tests.fixtures.dask_cluster import ADDRESS_ENV, run_dask_cluster, run_dask_worker
from tests.pipeline.engines.item_functions import (
    CountedItems,
    CountedPickles,
    die_always,
    die_once,
    note_and_wait,
    raise_unreadable,
    refuse,
    square,
    wait_for_files,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.engine_config import DaskEngineConfig
    from pipeline.engines.dask_engine import DaskEngine

pytestmark = [pytest.mark.xdist_group("clusters"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


def test_each_item_has_one_result(dask_config: DaskEngineConfig) -> None:
    with open_engine(dask_config) as engine:
        assert sorted(engine.map(square, range(20))) == [(number, number * number) for number in range(20)]


def test_the_function_is_sent_once_and_both_workers_call_it(dask_config: DaskEngineConfig) -> None:
    CountedPickles.n_pickles = 0
    with open_engine(dask_config) as engine:
        assert len(dict(engine.map(CountedPickles(), range(20)))) == 20
    assert CountedPickles.n_pickles == 1


@pytest.mark.parametrize(
    ("function", "message"), [(refuse, "row 1 is refused"), (raise_unreadable, "row 1, column age")]
)
def test_the_error_of_an_item_reaches_the_caller(dask_config: DaskEngineConfig, function: object, message: str) -> None:
    with open_engine(dask_config) as engine, pytest.raises(DataError, match=message) as raised:
        list(engine.map(function, [1]))  # type: ignore[arg-type]
    assert f"in {function.__name__}" in str(raised.value.__cause__)  # type: ignore[attr-defined]


def test_the_items_of_a_killed_worker_run_again(dask_config: DaskEngineConfig, tmp_path: Path) -> None:
    with open_engine(dask_config) as engine:
        assert sorted(engine.map(partial(die_once, tmp_path), range(8))) == [(number, number) for number in range(8)]


def ended_task(engine: DaskEngine) -> tuple[Any, int]:
    """Return a task that has ended and whose result was not read, and the process of its worker."""
    ((_, process),) = engine.map(CountedPickles(), [0])
    task = engine._submit(engine._share(ItemCall(CountedPickles(), versions=software_versions())), dump_value(0))
    engine._wait_for_ended({task: 0}, is_more=False)
    return task, process


@pytest.mark.usefixtures("starts_processes")
def test_a_result_is_waited_for_until_the_cluster_has_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = WorkerDeaths([0], retries=0, noun="part")
    with run_dask_cluster(0) as cluster, run_dask_worker(cluster):
        monkeypatch.setenv(ADDRESS_ENV, cluster.address)
        with open_dask(cluster.config(timeout_s=1)) as engine:
            task, process = ended_task(engine)
            os.kill(process, signal.SIGSTOP)
            Timer(2.5, os.kill, (process, signal.SIGCONT)).start()
            assert read_result(engine._result(task, 0, deaths)) == process
            task, process = ended_task(engine)
            os.kill(process, signal.SIGKILL)
            with pytest.raises(DependencyUnavailable, match="has had no worker for 1 s"):
                engine._result(task, 0, deaths)


def test_an_item_that_kills_each_worker_ends_the_run(dask_config: DaskEngineConfig) -> None:
    with (
        open_engine(dask_config.model_copy(update={"retries": 1})) as engine,
        pytest.raises(DependencyUnavailable, match=r"part 7 ended its worker 2 times \(last on tcp://127.0.0.1:\d+\)"),
    ):
        list(engine.map(die_always, [7]))


@pytest.mark.usefixtures("starts_processes")
def test_a_worker_that_comes_gets_items_while_the_others_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with run_dask_cluster(0) as cluster, run_dask_worker(cluster, n_threads=1), ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv(ADDRESS_ENV, cluster.address)
        with open_dask(cluster.config()) as engine:
            numbers = pool.submit(dict, engine.map(partial(note_and_wait, tmp_path), range(4)))
            wait_for_files(tmp_path, "*.pid", n_files=1)
            with run_dask_worker(cluster, n_threads=2):
                wait_for_files(tmp_path, "*.pid", n_files=3)
                (tmp_path / "go").touch()
                assert numbers.result(timeout=60) == {number: number for number in range(4)}


def test_items_are_submitted_as_they_run(dask_config: DaskEngineConfig) -> None:
    items = CountedItems(1_000)
    with open_engine(dask_config.model_copy(update={"workers": 3})) as engine:
        next(engine.map(square, items))
    assert items.n_taken == 3
