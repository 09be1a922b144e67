"""Items run on a Ray cluster, and a worker that dies loses none.

The cluster starts once, for one test of all claims, because its start needs the machine alone.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import RayEngineConfig
from pipeline.engines import PartEngine, open_engine
from pipeline.errors import DataError, DependencyUnavailable
from pipeline.parts import run_parts
from pipeline.storage import StoragePath
from tests.pipeline.engines.item_functions import die_always, die_once, raise_unreadable, refuse, square
from tests.pipeline.parts.interrupted_job import InterruptedJob
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("clusters")


def _each_item_has_one_result(engine: PartEngine) -> None:
    assert sorted(engine.map(square, range(20))) == [(number, number * number) for number in range(20)]


def _errors_reach_the_caller(engine: PartEngine) -> None:
    for function, message in ((refuse, "row 1 is refused"), (raise_unreadable, "row 1, column age")):
        with pytest.raises(DataError, match=message) as raised:
            list(engine.map(function, [1]))
        assert f"in {function.__name__}" in str(raised.value.__cause__)


def _items_of_a_killed_worker_run_again(engine: PartEngine, folder: Path) -> None:
    assert sorted(engine.map(partial(die_once, folder), range(8))) == [(number, number) for number in range(8)]


def _an_item_that_kills_each_worker_ends_the_run(engine: PartEngine) -> None:
    with pytest.raises(DependencyUnavailable, match=r"part 7 ended its worker 4 times \(WorkerCrashedError"):
        list(engine.map(die_always, [7]))


def _a_job_with_a_killed_worker_ends_whole(engine: PartEngine, folder: Path) -> None:
    job = InterruptedJob(RowSums(folder), folder / "interrupted", held=(2,))
    job.runs.mkdir()

    def kill_worker() -> None:
        os.kill(job.held_process(2), signal.SIGKILL)
        job.wait_for_runs(2, n_runs=2)
        job.release(2)

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_worker)
        manifest = run_parts(job, row_plan(), StoragePath.parse(folder / "out"), engine)
        killed.result(timeout=60)
    assert (manifest["n_rows"], manifest["result"]) == (10, {"sum": sum(range(10))})
    assert job.n_runs() == {0: 1, 1: 1, 2: 2, 3: 1}


@pytest.mark.usefixtures("alone_on_machine")
def test_the_verb_holds_on_ray(ray_config: RayEngineConfig, tmp_path: Path) -> None:
    with open_engine(ray_config) as engine:
        _each_item_has_one_result(engine)
        _errors_reach_the_caller(engine)
        _items_of_a_killed_worker_run_again(engine, tmp_path)
        _a_job_with_a_killed_worker_ends_whole(engine, tmp_path)
        _an_item_that_kills_each_worker_ends_the_run(engine)


@pytest.mark.parametrize(
    ("address", "message"),
    [("auto", "is 'auto'; expected the host"), ("local", "is 'local'")],
)
def test_no_cluster_is_started(monkeypatch: pytest.MonkeyPatch, address: str, message: str) -> None:
    monkeypatch.setenv("MLOPS_RAY_ADDRESS", address)
    config = RayEngineConfig(
        kind="ray", address_env="MLOPS_RAY_ADDRESS", workers=None, retries=0, part_rows=1, timeout_s=1
    )
    with pytest.raises(DependencyUnavailable, match=message), open_engine(config):
        pass
