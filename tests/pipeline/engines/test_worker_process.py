"""A worker runs items, reports its death, and ends with the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from pipeline.engines.item_call import ItemCall, dump_value, read_result
from pipeline.engines.worker_process import WorkerProcess
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.engines.item_functions import die_always, square

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A job in the background of a shell ignores SIGINT, and so do the programs that it starts.
_DRIVER = """
import signal
from functools import partial
from pathlib import Path
from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from tests.pipeline.engines.item_functions import note_and_wait

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open_engine(LocalEngineConfig(kind="local", workers=2, retries=3, part_rows=1)) as engine:
        list(engine.map(partial(note_and_wait, Path({folder!r})), range(4)))
"""


def test_items_run_one_after_the_other() -> None:
    worker = WorkerProcess()
    call = dump_value(ItemCall(square))
    results = []
    for item in (2, 3):
        worker.start(call, dump_value(item))
        results.append(read_result(worker.result()))
    assert (results, worker.end()) == ([4, 9], "SIGKILL")


def test_a_death_is_reported_with_its_signal() -> None:
    worker = WorkerProcess()
    worker.start(dump_value(ItemCall(die_always)), dump_value(1))
    with pytest.raises(EOFError):
        worker.result()
    assert worker.end() == "SIGKILL"


def test_a_function_that_the_worker_cannot_load_is_an_error_of_the_item() -> None:
    worker = WorkerProcess()
    worker.start(dump_value(ItemCall(square)).replace(b"square", b"absent"), dump_value(1))
    with pytest.raises(AttributeError, match="absent"):
        read_result(worker.result())
    worker.end()


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_driver(tmp_path: Path, end: signal.Signals) -> None:
    program = tmp_path / "driver.py"
    program.write_text(_DRIVER.format(folder=str(tmp_path)), encoding="utf-8")
    driver = subprocess.Popen(
        [sys.executable, program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        workers = [int(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.pid")]
        # Ctrl-C reaches all processes of a terminal.
        (os.killpg if end == signal.SIGINT else os.kill)(driver.pid, end)
        _, printed = driver.communicate(timeout=60)
    finally:
        driver.kill()
        driver.communicate()
    _wait_until(lambda: not any(psutil.pid_exists(worker) for worker in workers))
    assert len(list(tmp_path.glob("*.pid"))) == 2, "an item started after the end of the driver"
    assert printed.count(b"Traceback") == (1 if end == signal.SIGINT else 0)


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
