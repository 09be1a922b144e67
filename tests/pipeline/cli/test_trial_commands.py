"""`mlops trial` starts, lists, shows and stops trials, with the exit codes of the errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


def test_a_trial_is_started_listed_shown_and_stopped(mlops: Mlops) -> None:
    assert "version 2 against 1  comparing" in mlops("trial", "start", "2", "--reason", "a new kind").out
    assert "version 2 against 1" in mlops("trial", "list").out
    shown = mlops("trial", "show", "1").out
    assert "comparison: open, 0 outcomes in 0 units: too few to compare the log loss" in shown
    body = json.loads(mlops("trial", "show", "1", "--json").out)
    assert (body["trial"]["challenger"], body["comparison"]["verdict"]) == (2, "open")
    assert "give the same verdict: open" in mlops("trial", "replay", "1").out
    assert "aborted" in mlops("trial", "stop", "1", "--reason", "enough").out
    assert "no open trial" in mlops("trial", "list").out
    assert "aborted" in mlops("trial", "list", "--all").out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("start", "1"), 2, "version 1 is in Production"),
        (("start", "2", "--method", "guess"), 2, "expected replay, live or split"),
        (("start", "2", "--share", "0.2"), 2, "pass --method split"),
        (("show", "7"), 2, "no trial has the number 7"),
        (("approve", "7"), 2, "no trial has the number 7"),
        (("replay", "7"), 2, "no trial has the number 7"),
        (("stop", "7", "--reason", "x"), 2, "no trial has the number 7"),
    ],
)
def test_an_error_exits_with_its_code(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], code: int, message: str
) -> None:
    run = run_cli("trial", *words, cwd=model_project)
    assert (run.exit_code, message in run.err) == (code, True), run.err
