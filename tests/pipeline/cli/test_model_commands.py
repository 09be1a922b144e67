"""The commands of the registry, as a user types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.registry import ModelRegistry
from pipeline.state import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


@pytest.fixture
def mlops(model_project: Path, run_cli: CliRunner) -> Mlops:
    """Run a command in the project and expect that it succeeds."""

    def run(*words: str) -> CliRun:
        result = run_cli(*words, cwd=model_project)
        assert result.exit_code == 0, result.err
        return result

    return run


def test_list_shows_the_stage_and_the_verdict_of_each_version(mlops: Mlops) -> None:
    assert mlops("models", "list").out.count("gates: promote") == 2
    versions = json.loads(mlops("models", "list", "--json").out)
    assert [version["stage"] for version in versions] == ["Production", "None", "None"]


def test_show_prints_the_model_card_or_the_lineage(mlops: Mlops) -> None:
    assert "## Gates" in mlops("models", "show", "1").out
    assert json.loads(mlops("models", "show", "1", "--lineage", "--json").out)["commit"] is None


def test_compare_prints_the_versions_in_the_given_order(mlops: Mlops) -> None:
    lines = mlops("models", "compare", "2", "1").out.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "2", "1"]


def test_diff_names_the_settings_that_differ(mlops: Mlops) -> None:
    assert "model: logistic_regression -> naive_bayes" in mlops("models", "diff", "1", "2").out


def test_a_promotion_and_its_rollback_are_audited(mlops: Mlops) -> None:
    assert "Production is version 2 (generation 2)" in mlops("promote", "2", "--reason", "better").out
    assert json.loads(mlops("rollback", "--json").out)["generation"] == 3
    trail = mlops("audit", "list").out
    for text in ("(better)", "rollback personality_model version 1", "generation 3"):
        assert text in trail
    assert mlops("audit", "verify").out == "6 entries read\n"


def test_audit_at_shows_the_versions_deployed_at_a_time(mlops: Mlops) -> None:
    assert "Production: version 1" in mlops("audit", "--at", "2999-01-01").out
    assert mlops("audit", "--at", "2001-01-01").out == "no version was deployed at 2001-01-01\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("promote", "3"), 5, "the verdict of its gates is reject: limit ece"),
        (("promote", "3", "--force"), 2, "force needs a reason"),
        (("promote", "2", "--expected-generation", "0"), 6, "generation 0 was expected"),
        (("promote", "9"), 2, "has no version 9; versions: 1, 2, 3"),
        (("promote", "2", "--stage", "Prod"), 2, "stage 'Prod' is none"),
        (("promote", "2", "--model", "other"), 2, "--model other: no such model; registered: personality_model"),
        (("rollback",), 2, "no version was in Production before version 1"),
        (("models", "reproduce", "1"), 2, "no commit has a dvc.lock that names its package"),
        (("audit", "--at", "yesterday"), 2, "--at 'yesterday': expected ISO 8601"),
        (("audit", "--at", "1900-01-01"), 2, "expected a year from 1971 to 9998"),
        (("audit",), 2, "mlops audit --at"),
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
    state = connect(root)
    with state.engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_update")
        connection.exec_driver_sql("UPDATE audit SET reason = 'another' WHERE seq = 2")
    state.close()
