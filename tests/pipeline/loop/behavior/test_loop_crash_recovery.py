"""A loop that is killed before or after any commit of a trial's steps ends where an undisturbed one does."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.loop import LoopPart, exit_code, run_loop_once
from pipeline.loop.loop_lease import LEASE_US
from pipeline.registry.stage_transitions import promote_version
from pipeline.state import HOUR_US
from pipeline.trials import advance_trials
from tests.fixtures.proof import is_long
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW
from tests.pipeline.trials.trial_fixtures import lifecycle_settings, log_with_outcomes, open_trial, state_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from pipeline.config.root_config import Config

_PARTS = (LoopPart("trials", advance_trials),)
_CANARY_STEP = {"share": 0.05, "min_hours": 1, "min_predictions": 0}


class Killed(BaseException):
    """The process ends here: nothing after it runs, not even what cleans up."""


@dataclass
class KilledState(store.State):
    """A database whose process is killed at its nth transaction, before or after the commit."""

    kill_at: int = 0
    is_after_commit: bool = False
    n_writes: int = 0

    @contextmanager
    def writing(self, *, lock: int = store.database.WRITER_LOCK_KEY) -> Iterator[Connection]:
        self.n_writes += 1
        if self.kill_at and self.n_writes > self.kill_at:
            raise Killed
        with super().writing(lock=lock) as connection:
            yield connection
            if self.n_writes == self.kill_at and not self.is_after_commit:
                raise Killed
        if self.n_writes == self.kill_at:
            raise Killed


def _config() -> Config:
    """Return settings under which few hours decide; the challenger wins by any gain above -1."""
    config = lifecycle_settings(
        mode="act", trial_min_units=5, trial_min_outcomes=20, trial_test="non_inferiority", trial_margin=1.0
    )
    canary = config.canary.model_validate({**config.canary.model_dump(), "steps": [_CANARY_STEP]})
    return settings().model_copy(update={"lifecycle": config.model_copy(update={"canary": canary})})


@pytest.fixture
def logged(project: Path) -> Path:
    log_with_outcomes(project, 60)
    open_trial(project, _config().lifecycle)
    return project


@dataclass(frozen=True, slots=True)
class _Ended:
    """The run of a loop, None if it was killed, and the number of its transactions."""

    run: store.LoopRun | None
    n_writes: int


def _run(root: Path, at: int, *, holder: str = "one", **kill: Any) -> _Ended:
    """Run the loop once at a moment."""
    with state_at(root) as plain:
        state = KilledState(plain.engine, lambda: at, plain.file, **kill)
        try:
            return _Ended(run_loop_once(_config(), root, state=state, holder=holder, parts=_PARTS), state.n_writes)
        except Killed:
            return _Ended(None, state.n_writes)


def _outcome(root: Path) -> dict[str, Any]:
    """Return where the trials, Production and the audit trail ended, without moments."""
    with state_at(root) as state, state.reading() as connection:
        trials = store.read_trials(connection, MODEL_NAME)
        trail = store.read_audit_entries(connection, model=MODEL_NAME)
        return {
            "trials": [(trial.purpose, trial.state, trial.step) for trial in trials],
            "sums": [store.read_trial_sums(connection, trial.seq) for trial in trials],
            "production": store.current_deployment(connection, MODEL_NAME).version("Production"),
            "actions": [entry.action for entry in trail],
            "breaks": store.verify_audit_chain(connection),
            "undecided": store.find_undecided_changes(connection),
        }


@pytest.mark.parametrize("is_after_commit", [False, True])
def test_a_killed_loop_resumes_at_each_commit(logged: Path, tmp_path: Path, *, is_after_commit: bool) -> None:
    database, moments = logged / "state/state.db", (NOW, NOW + HOUR_US)
    shutil.copy(database, tmp_path / "before.db")
    n_writes = [_run(logged, at).n_writes for at in moments]
    undisturbed = _outcome(logged)
    assert (undisturbed["production"], undisturbed["breaks"], undisturbed["undecided"]) == (2, [], [])
    points = [(run, write) for run in range(2) for write in range(1, n_writes[run] + 1)]
    for killed_run, kill_at in points if is_long() else points[2::4]:
        shutil.copy(tmp_path / "before.db", database)
        for run, at in enumerate(moments):
            if run == killed_run:
                killed = _run(logged, at, kill_at=kill_at, is_after_commit=is_after_commit)
                assert (killed.run, killed.n_writes >= kill_at) == (None, True)
            resumed = _run(logged, at + (LEASE_US if run >= killed_run else 0), holder="two")
            assert resumed.run is not None
        assert _outcome(logged) == undisturbed, (killed_run, kill_at)


def test_a_person_who_promotes_during_a_canary_ends_the_run_with_a_conflict_and_no_rollback(logged: Path) -> None:
    assert _run(logged, NOW).run is not None
    with state_at(logged, NOW + 1) as state:
        promote_version(state, MODEL_NAME, 2, stage="Production", decided_by="ada")
    stepped_back, idle = _run(logged, NOW + 2).run, _run(logged, NOW + HOUR_US).run
    assert stepped_back is not None
    assert idle is not None
    assert [(decision.action, decision.error) for decision in stepped_back.decisions] == [("void", "Conflict")]
    assert (exit_code(stepped_back), exit_code(idle), _outcome(logged)["production"]) == (6, 0, 2)
