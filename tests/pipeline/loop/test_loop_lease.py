"""Of two loops one acts; after a kill the other acts within the 60 seconds of the lease."""

from __future__ import annotations

import threading

import pytest

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.loop.loop_lease import LEASE_US, HeldLease, held_lease, pause_us
from pipeline.state import Lease
from tests.pipeline.loop.loop_project import SECOND_US, at_moment


def test_the_other_is_refused_with_the_holder_and_the_moment_of_the_end(state: store.State) -> None:
    with (
        held_lease(at_moment(state, 0), "loop m", "one"),
        pytest.raises(Conflict, match="loop m: one has the lease until 1970-01-01T00:01:00Z"),
        held_lease(at_moment(state, LEASE_US - 1), "loop m", "two"),
    ):
        pass


def test_a_clean_end_frees_the_lease_at_once(state: store.State) -> None:
    for holder in ("one", "two"):
        with held_lease(at_moment(state, 0), "loop m", holder) as lease:
            assert not lease.is_lost


def test_after_a_kill_the_other_has_it_when_it_ended_and_the_killed_one_lost_it(state: store.State) -> None:
    killed = HeldLease(at_moment(state, 0), "loop m", "one")
    killed.renew()
    HeldLease(at_moment(state, LEASE_US), "loop m", "two").renew()
    late = HeldLease(at_moment(state, LEASE_US + 1), "loop m", "one")
    with pytest.raises(Conflict, match="two has the lease"):
        late.renew()
    assert late.is_lost
    late.release()
    with state.reading() as connection:
        assert store.read_lease(connection, "loop m") == Lease("loop m", "two", 2 * LEASE_US)


def test_a_lease_that_was_not_renewed_in_time_is_lost(state: store.State) -> None:
    now = [0]
    state.clock = lambda: now[0]
    lease = HeldLease(state, "loop m", "one")
    lease.renew()
    now[0] = LEASE_US - 1
    assert not lease.is_lost
    now[0] = LEASE_US
    assert lease.is_lost
    lease.renew()
    assert not lease.is_lost


def test_the_thread_that_renews_it_ends_with_the_run(state: store.State) -> None:
    with held_lease(state, "loop m", "one"):
        assert "lease" in {thread.name for thread in threading.enumerate()}
    assert "lease" not in {thread.name for thread in threading.enumerate()}


def test_what_is_urgent_starts_a_run_before_it_is_due_unless_another_process_runs() -> None:
    assert pause_us(None, now=0, due_at=SECOND_US, is_urgent=True) == 0
    assert pause_us(Lease("loop m", "other", 2), now=0, due_at=1, is_urgent=True) == 2


@pytest.mark.parametrize(
    ("expires_at", "now", "pause"),
    [
        pytest.param(None, 0, 20, id="a look every 20 s before the run is due"),
        pytest.param(None, 95, 5, id="until it is due"),
        pytest.param(None, 100, 0, id="due"),
        pytest.param(60, 50, 10, id="until the lease of the other ends"),
        pytest.param(160, 100, 20, id="due, but another runs"),
        pytest.param(60, 60, 0, id="the other was killed"),
    ],
)
def test_a_waiting_loop_runs_when_it_is_due_or_when_a_lease_ended(expires_at: int | None, now: int, pause: int) -> None:
    lease = None if expires_at is None else Lease("loop m", "other", expires_at * SECOND_US)
    assert pause_us(lease, now=now * SECOND_US, due_at=100 * SECOND_US) == pause * SECOND_US
