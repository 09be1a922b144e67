"""Dead letters get their prediction after a fix, under the identifiers of their events, and never twice in the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.package import PackageStore
from pipeline.registry import stage_transitions
from pipeline.state import open_state
from pipeline.streaming.dead_letter_replay import ReplayResult
from pipeline.streaming.stream_startup import replay_dead_letters
from tests.fixtures.registered_project import NAME, PASSED, package_folder, promote
from tests.fixtures.server_process import ROW
from tests.fixtures.small_packages import write_small_package
from tests.pipeline.streaming.stream_project import new_stream_project, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.cli import CliRunner
    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery, StreamProject

# Out of the range that the package declares until it is fixed.
_LARGE = json.dumps({"features": {**ROW, "Friends_circle_size": 40}}).encode()
_GOOD = json.dumps({"features": ROW}).encode()


@pytest.fixture(scope="module")
def fixed_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that accepts a larger circle of friends."""
    folder = tmp_path_factory.mktemp("fixed") / "package"
    key = "data.columns.Friends_circle_size.checks.in_range.max_value=50"
    write_small_package(folder, "personality", "model=logistic_regression", key, n_rows=600)
    return folder


def _promote_fix(root: Path, package: Path) -> int:
    """Register and promote a package, and return its version."""
    state = open_state(root)
    packages = PackageStore(root / "state/packages")
    registration = stage_transitions.register_package(
        state, packages, NAME, candidate=packages.add(package), tags={}, gates=PASSED, description=""
    )
    state.close()
    promote(root, registration.version.version)
    return registration.version.version


def _make_dead_letters(stream: StreamProject) -> None:
    # The header of the producer has the name of one that marks a dead letter without a value.
    values, headers = [_LARGE, _GOOD, b"no JSON", _LARGE], {"omitted_bytes": "1"}
    stream.broker.produce(stream.topics["events"], values, headers=headers)
    consumer = stream.start()
    wait_until(lambda: stream.n_dead() == 3, "the dead letters are sent")
    stream.wait_for_rows(1)
    consumer.stop()


@pytest.fixture
def stream(
    project: Path, kafka: KafkaBroker, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StreamProject]:
    """A stream with three dead letters and one predicted event."""
    monkeypatch.setenv("MLOPS_KAFKA", kafka.address)
    with new_stream_project(project, kafka, nursery) as stream:
        _make_dead_letters(stream)
        yield stream


def test_dead_letters_are_predicted_once_after_the_fix(
    project: Path, stream: StreamProject, fixed_package: Path
) -> None:
    assert replay_dead_letters(state_root=project) == ReplayResult(n_dead=3)
    _promote_fix(project, fixed_package)
    assert replay_dead_letters(state_root=project) == ReplayResult(n_predicted=2, n_dead=1)
    rows = {row.prediction_id: row.prediction for row in stream.logged()}
    assert replay_dead_letters(state_root=project) == ReplayResult(n_repeated=2, n_dead=1)
    assert {row.prediction_id: row.prediction for row in stream.logged()} == rows
    assert len(rows) == 3
    sent = stream.sent_predictions()
    events = stream.topics["events"]
    assert set(sent) == {f"{events}/0/0", f"{events}/1/0", f"{events}/1/1"}
    assert all(len(values) == 1 for values in sent.values())
    assert {json.loads(value)["prediction_id"] for (value,) in sent.values()} == set(rows)


def test_dead_letters_wait_while_the_version_in_production_cannot_be_loaded(
    project: Path, stream: StreamProject, fixed_package: Path, run_cli: CliRunner
) -> None:
    golden = package_folder(project, _promote_fix(project, fixed_package)) / "golden.json"
    intact = golden.read_bytes()
    golden.write_bytes(intact[:-9])
    with pytest.raises(DependencyUnavailable, match=r"dead letters wait .*golden\.json"):
        replay_dead_letters(state_root=project)
    run = run_cli("stream", "replay", "--dead", cwd=project)
    assert (run.exit_code, run.err.startswith("mlops: dead letters wait")) == (7, True)
    assert stream.n_logged() == 1
    golden.write_bytes(intact)
    assert replay_dead_letters(state_root=project) == ReplayResult(n_predicted=2, n_dead=1)


def test_dead_letters_before_the_moment_or_of_another_group_are_left(
    project: Path, kafka: KafkaBroker, stream: StreamProject
) -> None:
    source = f"{stream.topics['events']}/0/0"
    foreign = {"source": source, "prediction_id": "0" * 36}
    kafka.produce(stream.topics["dead"], [_GOOD], headers=foreign, timestamp=4_102_444_800_000)
    for other in ("other/0/0", f"{stream.topics['events']}/0/{'9' * 5_000}"):
        kafka.produce(stream.topics["dead"], [_GOOD], headers={"source": other}, timestamp=4_102_444_800_000)
    omitted = {"source": source, "omitted_bytes": "9"}
    kafka.produce(stream.topics["dead"], [None], headers=omitted, timestamp=4_102_444_800_000)
    result = replay_dead_letters(since_us=4_102_444_800_000_000, state_root=project)
    assert result == ReplayResult(n_foreign=3, n_without_value=1)
    assert stream.n_logged() == 1
