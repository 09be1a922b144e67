"""A trial, a retrain and a run of the loop in the state database of a project, as the loop writes them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.state import LoopDecision, LoopRun, Retrain, Trial, TrialSums, TrialUnit
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state import State

__all__ = ["add_loop_history", "find_retrain", "find_trial", "make_trial", "opened_state"]

IDLE_REASON = "no degradation in the last 24 hours; 120 of 500 labels"


@contextmanager
def opened_state(root: Path) -> Iterator[State]:
    state = store.open_state(root)
    try:
        yield state
    finally:
        state.close()


def add_loop_history(root: Path, model: str, **changes: Any) -> Trial:
    """Add a trial with 60 hours of a gain near 0.01, a finished retrain, and a run that proposed a canary."""
    with opened_state(root) as state:
        now = state.clock()
        trial = replace(make_trial(model, now), **changes)
        with state.writing() as connection:
            event = store.AuditEvent("ada", "open trial", now, "a test")
            trial = store.add_trial(connection, trial, event)
            sums = {TrialUnit("log_loss", hour): total for hour, total in _hours(now)}
            store.add_trial_sums(connection, trial.seq, sums, after=0, until=1)
            retrain = Retrain(
                model, "degradation", now - store.HOUR_US, "loop", now, {"reason": "log loss rose by 0.1"},
                state="needs_decision", n_labels=900, error="labels of `clinic-7` contradict the champion",
            )  # fmt: skip
            if not store.read_retrains(connection, model):
                store.add_retrain(connection, retrain)
            proposal = LoopDecision(f"trial {trial.seq}", "propose canary", "won: gain +0.01", {"gain": 0.01, "n": 60})
            idle = LoopDecision("retraining", "none", IDLE_REASON, next_at=now + store.HOUR_US)
            store.add_loop_run(connection, LoopRun(model, now, "test", (proposal, idle), now + store.HOUR_US))
    return trial


def find_retrain(root: Path, number: int) -> Retrain:
    with opened_state(root) as state, state.reading() as connection:
        return store.find_retrain(connection, number)


def find_trial(root: Path, number: int) -> Trial:
    with opened_state(root) as state, state.reading() as connection:
        return store.find_trial(connection, number)


def make_trial(model: str, now: int) -> Trial:
    return Trial(
        model=model,
        purpose="promotion",
        method="replay",
        champion=1,
        champion_digest="a" * 64,
        challenger=2,
        challenger_digest="b" * 64,
        salt="salt",
        settings=settings().lifecycle.model_dump(mode="json", include={"trial", "canary"}),
        fresh_from=now - 61 * store.HOUR_US,
        opened_at=now,
        opened_by="ada",
        step_at=now,
        proposal="canary",
        evidence={"gain": 0.01},
    )


def _hours(now: int) -> Iterator[tuple[int, TrialSums]]:
    for hour in range(60):
        start = (now // store.HOUR_US - 62 + hour) * store.HOUR_US
        yield start, TrialSums(20, 20.0, 0.2 + 0.1 * (hour % 3 - 1), 0.05, hour % 2)
