"""A run of the loop takes the lease, stores what it decided, and ends with the code that fits."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.loop import LoopPart, run_loop
from pipeline.loop.loop_lease import LEASE_US, HeldLease
from pipeline.state import LoopContext, LoopDecision
from tests.pipeline.loop.loop_project import MODEL, at_moment, deciding, put_in_production, run_once, with_mode

if TYPE_CHECKING:
    from pathlib import Path

_DONE = LoopDecision("trial 1", "promote", "version 2 won")
_HOUR_US = 3_600_000_000


def test_a_run_is_stored_with_its_decisions_and_the_moment_of_the_next(state: store.State) -> None:
    put_in_production(state)
    run = run_once(at_moment(state, 5), deciding(_DONE))
    assert run == store.LoopRun(MODEL, 5, "one", (_DONE,), 5 + _HOUR_US, seq=1)
    with state.reading() as connection:
        assert store.last_loop_run(connection, MODEL) == run
        assert store.read_lease(connection, store.loop_lease_name(MODEL)) is None


def test_one_of_two_loops_acts_and_the_other_does_after_a_kill(state: store.State) -> None:
    put_in_production(state)
    HeldLease(at_moment(state, 0), store.loop_lease_name(MODEL), "killed").renew()
    with pytest.raises(Conflict, match="killed has the lease"):
        run_once(at_moment(state, LEASE_US - 1), deciding(_DONE))
    assert run_once(at_moment(state, LEASE_US), deciding(_DONE)).decisions == (_DONE,)


def test_a_part_learns_that_another_process_took_the_lease(state: store.State) -> None:
    put_in_production(state)
    seen = []

    def lose_the_lease(context: LoopContext) -> list[LoopDecision]:
        seen.append(context.should_stop())
        with context.state.writing() as connection:
            later = context.now + LEASE_US
            store.renew_lease(connection, store.loop_lease_name(MODEL), "two", now=later, duration_us=LEASE_US)
        context.state.clock = lambda: later
        seen.append(context.should_stop())
        return []

    run_once(at_moment(state, 0), LoopPart("part", lose_the_lease))
    assert seen == [False, True]
    with state.reading() as connection:
        lease = store.read_lease(connection, store.loop_lease_name(MODEL))
    assert lease is not None
    assert lease.holder == "two"


def test_a_signal_ends_the_repetition_and_leaves_no_lease(tmp_path: Path) -> None:
    state = store.open_state(tmp_path)
    runs = []

    def end(run: store.LoopRun) -> None:
        runs.append(run)
        os.kill(os.getpid(), signal.SIGTERM)

    assert run_loop(with_mode("off"), tmp_path, once=False, report=end) == 0
    with state.reading() as connection:
        assert store.read_loop_runs(connection, MODEL) == runs
        assert store.read_lease(connection, store.loop_lease_name(MODEL)) is None
    state.close()
