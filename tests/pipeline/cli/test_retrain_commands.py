"""`mlops retrain` shows what would decide, lists retrains, and lets a person decide; exit codes name the end."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.retraining.retrain_fixtures import (
    MODEL_NAME,
    context_of,
    evaluated_retrain,
    log_labels,
    make_repository,
    set_stage,
)
from tests.pipeline.state.loop_records import make_retrain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


@pytest.fixture
def mlops(project: Path, run_cli: CliRunner) -> Mlops:
    make_repository(project)
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    return lambda *words: run_cli("retrain", *words, cwd=project, env={"MLOPS_ACTOR": "ada"})


def test_a_dry_run_shows_labels_by_caller_and_guards(mlops: Mlops, project: Path) -> None:
    log_labels(project, 20)
    dry = mlops("--dry-run")
    assert (dry.exit_code, "caller    bob: 10 labels" in dry.out, "guard     coverage: pass" in dry.out) == (
        0,
        True,
        True,
    )
    assert json.loads(mlops("--dry-run", "--json").out)["cause"] is None
    assert "20 labels arrived since the last snapshot; expected at least 500" in mlops().out
    assert "mlops retrain --dry-run" in mlops("list").out


def test_a_hold_of_a_guard_exits_with_5(mlops: Mlops, project: Path) -> None:
    log_labels(project, 600, wrong=0.4)
    held = mlops("--reason", "now")
    assert (held.exit_code, "caller ada contradicts" in held.err) == (5, True)
    assert mlops("--dry-run").exit_code == 5


def test_a_person_reads_and_decides(mlops: Mlops, project: Path) -> None:
    evaluated_retrain(project, fresh_verdict="needs_decision", result="hold")
    waiting = mlops("approve", "1")
    assert (waiting.exit_code, "`mlops retrain approve 1` or" in waiting.out) == (5, True)
    assert "after an interruption `mlops retrain approve 1` continues" in waiting.err
    assert "needs_decision" in mlops("list").out
    assert "on trial 1" in mlops("approve", "1").out
    assert json.loads(mlops("show", "1", "--json").out)["state"] == "on_trial"
    assert mlops("discard", "1", "--reason", "late").exit_code == 6
    assert mlops("show", "7").exit_code == 2


def test_a_proposed_retrain_names_the_command_that_starts_it(mlops: Mlops, project: Path) -> None:
    with context_of(project) as context, context.state.writing() as connection:
        asked = make_retrain(model=MODEL_NAME, state="asked", facts={"reason": "log_loss became worse"})
        store.add_retrain(connection, asked, reason="a test")
    assert "next      `mlops retrain approve 1` or" in mlops("show", "1").out


def test_a_retrain_needs_a_version_in_production(mlops: Mlops, project: Path) -> None:
    set_stage(project, 1, "None")
    refused = mlops()
    assert (refused.exit_code, "no version is in Production" in refused.err) == (2, True)


def test_an_open_retrain_is_discarded_with_a_reason(mlops: Mlops, project: Path) -> None:
    evaluated_retrain(project)
    assert "discarded" in mlops("discard", "1", "--reason", "wrong labels").out
