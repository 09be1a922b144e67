"""Sums of a trial add up by hour, and a position is taken once."""

from __future__ import annotations

import pytest

from pipeline import state as store
from pipeline.errors import Conflict

HOUR = store.TrialUnit("log_loss", 3 * store.HOUR_US)
NEXT = store.TrialUnit("log_loss", 4 * store.HOUR_US)


def _add(state: store.State, changes: dict[store.TrialUnit, store.TrialSums], *, after: int, until: int) -> None:
    with state.writing() as connection:
        store.add_trial_sums(connection, 1, changes, after=after, until=until)


def test_changes_of_an_hour_add_up(state: store.State) -> None:
    _add(state, {HOUR: store.TrialSums(2, 2.0, 0.5, 0.25, 1)}, after=0, until=2)
    correction = store.TrialSums(0, 0.0, -0.25, -0.125, 0)
    _add(state, {HOUR: correction, NEXT: store.TrialSums(1, 4.0, 1.0, 1.0, 0)}, after=2, until=5)
    with state.reading() as connection:
        assert store.read_trial_progress(connection, 1) == 5
        assert store.read_trial_sums(connection, 1) == {
            HOUR: store.TrialSums(2, 2.0, 0.25, 0.125, 1),
            NEXT: store.TrialSums(1, 4.0, 1.0, 1.0, 0),
        }
        assert store.read_trial_sums(connection, 2) == {}


def test_outcomes_that_another_process_added_are_a_conflict(state: store.State) -> None:
    _add(state, {HOUR: store.TrialSums(2, 2.0, 0.5, 0.25, 1)}, after=0, until=2)
    with pytest.raises(Conflict, match="trial 1: another process compared outcomes in between"):
        _add(state, {HOUR: store.TrialSums(2, 2.0, 0.5, 0.25, 1)}, after=0, until=2)
    with state.reading() as connection:
        assert store.read_trial_sums(connection, 1)[HOUR].n_rows == 2
