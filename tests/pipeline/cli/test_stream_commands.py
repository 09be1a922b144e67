"""`mlops stream` refuses a project without a stream, and forgets positions on demand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline import files
from pipeline.state import open_state
from pipeline.state.stream_offsets import claim_partition, read_stream_positions
from tests.fixtures.composed_config import composed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.fixture
def stream_project(project: Path) -> Path:
    """A project with a stream."""
    files.write_text(project / "params.yaml", json.dumps(composed("stream=kafka").values))
    (project / "dvc.yaml").touch()
    return project


@pytest.mark.parametrize("words", [(), ("outcomes",), ("lag",), ("reset", "events"), ("replay", "--dead")])
def test_a_project_without_a_stream_is_refused(
    stream_project: Path, run_cli: CliRunner, words: tuple[str, ...]
) -> None:
    files.write_text(stream_project / "params.yaml", json.dumps(composed().values))
    run = run_cli("stream", *words, cwd=stream_project)
    assert run.exit_code == 3
    assert "stream is none" in run.err


def test_without_addresses_the_variable_is_named(
    stream_project: Path, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLOPS_KAFKA", raising=False)
    run = run_cli("stream", "--state", stream_project)
    assert run.exit_code == 3
    assert "the variable MLOPS_KAFKA is not set" in run.err


def test_a_reset_forgets_one_partition_or_all(stream_project: Path, run_cli: CliRunner) -> None:
    state = open_state(stream_project)
    with state.writing() as connection:
        for number in range(3):
            claim_partition(connection, "personality_model-scoring", "events", number, first_offset=5, now=1)
    one = run_cli("stream", "reset", "events", "--partition", 1, cwd=stream_project)
    with state.reading() as connection:
        left = [position.partition_number for position in read_stream_positions(connection)]
    rest = run_cli("stream", "reset", "events", cwd=stream_project)
    state.close()
    assert one.out == "forgot 1 position of group personality_model-scoring in topic events\n"
    assert left == [0, 2]
    assert rest.out.startswith("forgot 2 positions")


def test_a_reset_of_outcomes_leaves_the_events(stream_project: Path, run_cli: CliRunner) -> None:
    groups = {"events": "personality_model-scoring", "outcomes": "personality_model-scoring-outcomes"}
    state = open_state(stream_project)
    with state.writing() as connection:
        for topic, group in groups.items():
            claim_partition(connection, group, topic, 0, first_offset=5, now=1)
    run = run_cli("stream", "reset", "outcomes", cwd=stream_project)
    with state.reading() as connection:
        left = [position.topic for position in read_stream_positions(connection)]
    state.close()
    assert run.out == f"forgot 1 position of group {groups['outcomes']} in topic outcomes\n"
    assert left == ["events"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("replay",), "expected --dead"),
        (("reset", "event"), "event: is no topic that is read; expected events or"),
        (("replay", "--dead", "--since", "yesterday"), "expected ISO 8601"),
    ],
)
def test_a_wrong_argument_is_refused(
    stream_project: Path, run_cli: CliRunner, words: tuple[str, ...], message: str
) -> None:
    run = run_cli("stream", *words, cwd=stream_project)
    assert (run.exit_code, message in run.err) == (2, True)
