"""`mlops loop` runs once, refuses a second holder, and shows what happened and why nothing did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.loop.loop_lease import LEASE_US
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner


def _add_runs(root: Path, *decisions: store.LoopDecision) -> None:
    state = store.open_state(root)
    with state.writing() as connection:
        for decision in decisions:
            store.add_loop_run(connection, store.LoopRun(NAME, 0, "host", (decision,), 1))
    state.close()


def test_a_run_is_printed_and_stored(model_project: Path, mlops: Callable[..., CliRun]) -> None:
    assert "has not run yet; run `mlops loop --once`" in mlops("loop", "list").out
    run = json.loads(mlops("loop", "--once", "--json").out)
    shown = json.loads(mlops("loop", "show", str(run["seq"]), "--json").out)
    assert shown == run
    assert run["next_at"] - run["recorded_at"] == 3_600_000_000
    state = store.open_state(model_project)
    with state.reading() as connection:
        assert store.read_lease(connection, f"loop {NAME}") is None
    state.close()


def test_the_list_has_runs_that_acted_and_why_nothing_happened_last(
    model_project: Path, mlops: Callable[..., CliRun]
) -> None:
    waited = store.LoopDecision("retraining", "none", "too few labels")
    _add_runs(model_project, store.LoopDecision("trial 1", "promote", "version 2 won"), waited, waited)
    assert mlops("loop", "list").out.splitlines() == [
        "1  1970-01-01T00:00:00Z  host",
        "    trial 1: promote: version 2 won",
        "3  1970-01-01T00:00:00Z  host",
        "    retraining: nothing: too few labels",
    ]
    assert len(json.loads(mlops("loop", "list", "--all", "--json").out)["runs"]) == 3


def test_a_second_loop_ends_with_the_code_of_a_conflict(model_project: Path, run_cli: CliRunner) -> None:
    state = store.open_state(model_project)
    with state.writing() as connection:
        store.renew_lease(connection, f"loop {NAME}", "other", now=state.clock(), duration_us=LEASE_US)
    state.close()
    result = run_cli("loop", "--once", cwd=model_project)
    assert result.exit_code == 6
    assert f"loop {NAME}: other has the lease until " in result.err
