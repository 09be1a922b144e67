"""`mlops stream` as a program: it says where it listens, its probes and reports follow it, and SIGTERM ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pipeline.config.config_loader import load_params
from pipeline.errors import ConfigError
from pipeline.state.stream_reports import read_stream_facts
from pipeline.streaming.stream_startup import read_lags, require_stream
from tests.fixtures.registered_project import NAME
from tests.fixtures.toy_dataset import settings
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state.stream_reports import StreamFacts
    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery, StreamProject


@contextmanager
def _running_program(root: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    words = [sys.executable, "-c", "from pipeline.cli import main; main()", "stream", "--port", "0"]
    process = subprocess.Popen(words, cwd=root, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stderr is not None
        yield process, json.loads(process.stderr.readline())
    finally:
        process.kill()
        process.communicate(timeout=20)


def _facts(stream: StreamProject) -> StreamFacts:
    with stream.state.reading() as connection:
        return read_stream_facts(connection, NAME)


def test_a_running_stream_is_seen_by_probes_reports_and_lag(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    (project / "dvc.yaml").touch()
    with new_stream_project(project, kafka, nursery) as stream:
        stream.produce(event_values(200))
        monkeypatch.chdir(project)
        group = require_stream(load_params()).group
        assert sum(lag.lag for lag in read_lags()[group]) == 200
        with _running_program(project) as (process, started):
            assert (started["event"], started["topic"]) == ("consuming", stream.topics["events"])
            address = f"http://{started['address']}"
            stream.wait_for_rows(198)
            wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200, "the consumer is ready")
            model = load_params().name
            predicted = f'mlops_stream_rows_total{{model="{model}",result="predicted"}} 198.0'
            assert predicted in httpx.get(f"{address}/metrics").text
            wait_until(lambda: sum(each.n_dead for each in _facts(stream).partitions) == 2, "the counts are reported")
            assert [(each.state, each.topic) for each in _facts(stream).consumers] == [
                ("running", stream.topics["events"])
            ]
            assert sum(lag.lag for lag in read_lags()[group]) == 0
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        assert [each.state for each in _facts(stream).consumers] == ["stopped"]


def test_without_a_stream_the_message_names_the_choice() -> None:
    with pytest.raises(ConfigError, match=r"stream is none: .* stream=kafka"):
        require_stream(settings())


def test_a_stream_needs_the_log() -> None:
    with pytest.raises(ConfigError, match=r"serving\.log\.mode is none"):
        require_stream(settings("stream=kafka", "serving.log.mode=none"))


def test_a_configured_stream_is_returned() -> None:
    assert require_stream(settings("stream=kafka")).group == "personality_model-scoring"
