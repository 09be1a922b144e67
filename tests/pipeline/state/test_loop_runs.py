"""Runs of the loop are read back with their decisions, also those in which nothing happened."""

from __future__ import annotations

import pytest

from pipeline import state as store
from pipeline.errors import UsageError
from pipeline.state import LoopDecision, LoopRun

_WAITED = LoopDecision("retraining", "none", "120 of 500 labels", {"n_labels": 120}, next_at=99)
_ACTED = LoopDecision("trial 4", "promote", "version 2 won", {"version": 2})


def _add(state: store.State, *decisions: LoopDecision, model: str = "m") -> LoopRun:
    with state.writing() as connection:
        run = LoopRun(model, 7, "host", decisions, 10)
        return store.find_loop_run(connection, store.add_loop_run(connection, run))


def test_a_run_is_read_back_as_written(state: store.State) -> None:
    run = _add(state, _WAITED, _ACTED)
    assert run == LoopRun("m", 7, "host", (_WAITED, _ACTED), 10, seq=1)
    with state.reading() as connection:
        assert store.last_loop_run(connection, "m") == run
        assert store.last_loop_run(connection, "other") is None


def test_the_newest_run_comes_first_and_those_that_acted_can_be_chosen(state: store.State) -> None:
    for decisions in ((_ACTED,), (_WAITED,), (_WAITED, _ACTED), (_WAITED,)):
        _add(state, *decisions)
    _add(state, _ACTED, model="other")
    with state.reading() as connection:
        assert [run.seq for run in store.read_loop_runs(connection, "m")] == [4, 3, 2, 1]
        assert [run.seq for run in store.read_loop_runs(connection, "m", limit=1)] == [4]
        assert [run.seq for run in store.read_loop_runs(connection, "m", acted=True)] == [3, 1]


def test_a_missing_run_is_refused_with_the_command_that_lists_them(state: store.State) -> None:
    with state.reading() as connection, pytest.raises(UsageError, match=r"has the number 5; `mlops loop list`"):
        store.find_loop_run(connection, 5)
