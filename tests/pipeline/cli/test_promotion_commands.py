"""`mlops promote`, `rollback` and `deploy` decide which version is in Production."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.registry import ModelRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


def test_a_promotion_and_its_rollback_are_audited(mlops: Mlops) -> None:
    assert "Production is version 2 (generation 2)" in mlops("promote", "2", "--reason", "better").out
    assert json.loads(mlops("rollback", "--json").out)["generation"] == 3
    trail = mlops("audit", "list").out
    for text in ("(better)", "rollback personality_model version 1", "generation 3"):
        assert text in trail
    assert mlops("audit", "verify").out.startswith("6 entries read; head 6:")


def test_promote_prints_the_change_as_json(mlops: Mlops) -> None:
    change = json.loads(mlops("promote", "2", "--json").out)
    assert (change["model"], change["generation"]) == ("personality_model", 2)
    assert change["before"] != change["after"]
    assert change["audit"] == 5


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("promote", "3"), 5, "the verdict of its gates is reject: limit ece"),
        (("promote", "3"), 5, "with a reason: `mlops promote 3 --stage Production --force --reason ...`"),
        (("promote", "3", "--force"), 2, "force needs a reason"),
        (("promote", "2", "--expected-generation", "0"), 6, "generation 0 was expected"),
        (("promote", "9"), 2, "has no version 9; versions: 1, 2, 3"),
        (("promote", "2", "--stage", "Prod"), 2, "stage 'Prod' is none"),
        (("promote", "2", "--model", "other"), 2, "--model other: no such model; registered: personality_model"),
        (("rollback",), 2, "no version was in Production before version 1"),
    ],
)
def test_an_error_exits_with_its_code_and_changes_nothing(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], code: int, message: str
) -> None:
    run = run_cli(*words, cwd=model_project)
    assert run.exit_code == code
    assert message in run.err
    assert len(ModelRegistry(model_project).history()) == 4


def test_deploy_refuses_an_unknown_stage(model_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("deploy", "--stage", "live", "--url", "http://127.0.0.1:1", cwd=model_project)
    assert (run.exit_code, "--stage 'live'" in run.err) == (2, True)
