"""Items run in this process or in workers, and a worker that dies loses none."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import DataError, DependencyUnavailable

if TYPE_CHECKING:
    from pathlib import Path


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    raise DataError(f"row {number} is refused")


def die_once(folder: Path, number: int) -> int:
    """Kill this worker at the first call with 3."""
    mark = folder / f"ran-{number}"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def local(workers: int, retries: int = 3) -> LocalEngineConfig:
    return LocalEngineConfig(kind="local", workers=workers, retries=retries, part_rows=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_item_has_one_result(workers: int) -> None:
    with open_engine(local(workers)) as engine:
        assert sorted(engine.map(square, range(20))) == [(number, number * number) for number in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_an_item_reaches_the_caller(workers: int) -> None:
    with open_engine(local(workers)) as engine, pytest.raises(DataError, match="row 1 is refused"):
        list(engine.map(refuse, [1]))


def test_the_items_of_a_killed_worker_run_again(tmp_path: Path) -> None:
    with open_engine(local(2)) as engine:
        assert sorted(engine.map(partial(die_once, tmp_path), range(8))) == [(number, number) for number in range(8)]


def test_an_item_that_kills_each_worker_ends_the_run() -> None:
    with (
        open_engine(local(2, retries=1)) as engine,
        pytest.raises(DependencyUnavailable, match=r"workers died 2 times; 1 part did not run"),
    ):
        list(engine.map(die_always, [1]))
