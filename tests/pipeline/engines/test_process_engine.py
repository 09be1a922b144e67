"""Items run in workers, and a worker that dies loses none."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
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
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.engines import PartEngine


def _wait_for_end(process: int) -> None:
    """Wait until all threads of a child are gone; it is not reaped, which is its owner's part."""
    deadline = time.monotonic() + 20
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def local(workers: int, retries: int = 3) -> LocalEngineConfig:
    return LocalEngineConfig(kind="local", workers=workers, retries=retries, part_rows=1)


@pytest.fixture(scope="module")
def engine() -> Iterator[PartEngine]:
    """An engine with two workers, which each start once."""
    with open_engine(local(2)) as opened:
        yield opened


def test_each_item_has_one_result(engine: PartEngine) -> None:
    assert sorted(engine.map(square, range(20))) == [(number, number * number) for number in range(20)]


def test_the_error_of_an_item_reaches_the_caller(engine: PartEngine) -> None:
    with pytest.raises(DataError, match="row 1 is refused"):
        list(engine.map(refuse, [1]))


def test_an_error_that_cannot_be_read_keeps_its_meaning_and_message(engine: PartEngine) -> None:
    with pytest.raises(DataError, match="row 1, column age") as raised:
        list(engine.map(raise_unreadable, [1]))
    assert type(raised.value) is DataError
    assert "in raise_unreadable" in str(raised.value.__cause__)


def test_the_function_is_sent_once_to_each_worker(engine: PartEngine) -> None:
    CountedPickles.n_pickles = 0
    processes = {process for _, process in engine.map(CountedPickles(), range(20))}
    assert (CountedPickles.n_pickles, len(processes)) == (1, 2)


def test_the_items_of_a_killed_worker_run_again(engine: PartEngine, tmp_path: Path) -> None:
    assert sorted(engine.map(partial(die_once, tmp_path), range(8))) == [(number, number) for number in range(8)]


def test_an_item_that_kills_each_worker_ends_the_run() -> None:
    with (
        open_engine(local(2, retries=1)) as own,
        pytest.raises(DependencyUnavailable, match=r"part 1 ended its worker 2 times \(SIGKILL\)"),
    ):
        list(own.map(die_always, [1]))


def test_a_worker_that_was_killed_while_it_was_idle_costs_nothing() -> None:
    with open_engine(local(2, retries=0)) as own:
        killed = {process for _, process in own.map(CountedPickles(), range(20))}
        for process in killed:
            os.kill(process, signal.SIGKILL)
            _wait_for_end(process)
        found = {process for _, process in own.map(CountedPickles(), range(20))}
    assert len(found) == 2
    assert not found & killed


def test_items_are_taken_as_they_run(engine: PartEngine) -> None:
    items = CountedItems(1_000)
    next(engine.map(square, items))
    assert items.n_taken <= 4
