"""The tables of sweeps refuse what a reader could not name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import exc, insert

from pipeline.state.sweep_tables import sweep_trials

if TYPE_CHECKING:
    from pipeline import state as store

TRIAL = {
    "label": "",
    "overrides": "[]",
    "metric": "log_loss",
    "metrics": "{}",
    "worker": "",
    "attempt": 1,
    "started_at": 1,
    "expires_at": 2,
}


@pytest.mark.parametrize(
    "second",
    [{"seq": 2, "sweep": 1, "number": 0, "state": "running"}, {"seq": 2, "sweep": 1, "number": 1, "state": "lost"}],
    ids=["a number twice", "an unknown state"],
)
def test_a_trial_has_a_number_of_its_own_and_a_known_state(state: store.State, second: dict[str, object]) -> None:
    with state.writing() as connection:
        connection.execute(insert(sweep_trials).values(seq=1, sweep=1, number=0, state="running", **TRIAL))
    with pytest.raises(exc.IntegrityError, match=r"(?i)constraint"), state.writing() as connection:
        connection.execute(insert(sweep_trials).values(**second, **TRIAL))
