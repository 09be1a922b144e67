"""Items run in this process, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import DataError
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.engines.item_functions import refuse, square

ONE_WORKER = LocalEngineConfig(kind="local", workers=1, retries=3, part_rows=1)


def test_items_have_their_results_in_order() -> None:
    with open_engine(ONE_WORKER) as engine:
        assert list(engine.map(square, range(20))) == [(number, number * number) for number in range(20)]


def test_the_error_of_an_item_is_raised() -> None:
    with open_engine(ONE_WORKER) as engine, pytest.raises(DataError, match="row 1 is refused"):
        list(engine.map(refuse, [1]))


@pytest.mark.usefixtures("starts_processes")
def test_no_other_engine_is_imported() -> None:
    code = (
        "import sys; from pipeline.config.groups.engine_config import LocalEngineConfig\n"
        "from pipeline.engines import open_engine\n"
        "with open_engine(LocalEngineConfig(kind='local', workers=1, retries=3, part_rows=1)) as engine:\n"
        "    list(engine.map(abs, [1]))\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('pipeline.engines.', 'distributed', 'ray.'))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["pipeline.engines.local_engine", "pipeline.engines.part_engine"]
