"""`mlops audit` lists decisions, shows past deployments and verifies the chain of hashes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.registry import ModelRegistry
from pipeline.state import connect_to_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


def test_audit_at_shows_the_versions_deployed_at_a_time(mlops: Mlops) -> None:
    assert "Production: version 1" in mlops("audit", "--at", "2999-01-01").out
    assert mlops("audit", "--at", "2001-01-01").out == "no version was deployed at 2001-01-01\n"


def test_verify_counts_the_entries(mlops: Mlops) -> None:
    head = mlops("audit", "head").out.strip()
    assert mlops("audit", "verify").out == f"4 entries read; head {head}\n"
    expected = {"head": head, "breaks": [], "undecided_changes": []}
    assert json.loads(mlops("audit", "verify", "--json").out) == expected


def test_verify_accepts_an_earlier_head(mlops: Mlops) -> None:
    heads = [f"{entry['seq']}:{entry['hash']}" for entry in json.loads(mlops("audit", "list", "--json").out)]
    for head in heads:
        assert mlops("audit", "verify", "--head", head).out.startswith("4 entries read")


@pytest.mark.parametrize("seq", [2, 4, 99], ids=["an early entry", "the last entry", "a removed entry"])
def test_verify_finds_a_trail_that_differs_from_the_anchored_head(
    model_project: Path, run_cli: CliRunner, seq: int
) -> None:
    run = run_cli("audit", "verify", "--head", f"{seq}:{'a' * 64}", cwd=model_project)
    assert run.exit_code == 8
    assert f"entry {seq}: " in run.out
    assert "anchored head" in run.out


def test_verify_names_a_deployment_that_was_changed_by_hand(model_project: Path, run_cli: CliRunner) -> None:
    state = connect_to_project(model_project)
    with state.writing() as connection:
        connection.exec_driver_sql("UPDATE deployments SET generation = 7")
    state.close()
    run = run_cli("audit", "verify", cwd=model_project)
    assert run.exit_code == 8
    assert "deployments personality_model, Production: generation is 7, and 1 was decided" in run.out
    assert "`mlops doctor` restores deployments" in run.err


def test_list_prints_the_versions_after_each_decision(mlops: Mlops) -> None:
    lines = mlops("audit", "list").out.splitlines()
    assert lines[-2].endswith("promote personality_model version 1  (the first)")
    assert lines[-1].strip() == "generation 1: Production: version 1"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("audit", "--at", "yesterday"), 2, "--at 'yesterday': expected ISO 8601"),
        (("audit", "--at", "1900-01-01"), 2, "expected a year from 1971 to 9998"),
        (("audit",), 2, "mlops audit --at"),
        (("audit", "verify", "--head", "12"), 2, "audit head '12': expected SEQ:HASH"),
    ],
)
def test_an_error_exits_with_its_code_and_changes_nothing(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], code: int, message: str
) -> None:
    run = run_cli(*words, cwd=model_project)
    assert run.exit_code == code
    assert message in run.err
    assert len(ModelRegistry(model_project).history()) == 4


def test_an_altered_audit_trail_exits_with_code_8(model_project: Path, run_cli: CliRunner) -> None:
    alter_audit_trail(model_project)
    run = run_cli("audit", "verify", cwd=model_project)
    assert run.exit_code == 8
    assert "entry 2: was changed after it was written" in run.out
    assert "the audit trail is broken at 1 entry;" in run.err


def alter_audit_trail(root: Path) -> None:
    """Change the reason of the second entry behind the database's back."""
    state = connect_to_project(root)
    with state.engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_update")
        connection.exec_driver_sql("UPDATE audit SET reason = 'another' WHERE seq = 2")
    state.close()
