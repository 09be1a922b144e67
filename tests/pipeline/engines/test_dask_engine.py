"""Items run on a Dask cluster, and a worker that dies loses none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from pipeline.engines import open_engine
from pipeline.errors import DataError, DependencyUnavailable
from tests.pipeline.engines.item_functions import (
    CountedItems,
    CountedPickles,
    die_always,
    die_once,
    raise_unreadable,
    refuse,
    square,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.engine_config import DaskEngineConfig

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


def test_an_item_that_kills_each_worker_ends_the_run(dask_config: DaskEngineConfig) -> None:
    with (
        open_engine(dask_config.model_copy(update={"retries": 1})) as engine,
        pytest.raises(DependencyUnavailable, match=r"part 7 ended its worker 2 times \(last on tcp://127.0.0.1:\d+\)"),
    ):
        list(engine.map(die_always, [7]))


def test_items_are_submitted_as_they_run(dask_config: DaskEngineConfig) -> None:
    items = CountedItems(1_000)
    with open_engine(dask_config.model_copy(update={"workers": 3})) as engine:
        next(engine.map(square, items))
    assert items.n_taken == 3
