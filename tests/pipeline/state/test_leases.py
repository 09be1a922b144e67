"""One process holds a lease; it ends by itself when the holder is gone."""

from __future__ import annotations

from pipeline import state as store

_DURATION_US = 60_000_000


def _renew(state: store.State, holder: str, *, now: int) -> str:
    with state.writing() as connection:
        return store.renew_lease(connection, "loop m", holder, now=now, duration_us=_DURATION_US).holder


def test_the_first_process_has_it_and_renews_it(state: store.State) -> None:
    assert _renew(state, "one", now=0) == "one"
    assert _renew(state, "two", now=1) == "one"
    assert _renew(state, "one", now=_DURATION_US - 1) == "one"
    assert _renew(state, "two", now=_DURATION_US) == "one"


def test_it_ends_when_it_is_not_renewed(state: store.State) -> None:
    _renew(state, "one", now=0)
    assert _renew(state, "two", now=_DURATION_US) == "two"
    assert _renew(state, "one", now=_DURATION_US + 1) == "two"


def test_only_its_holder_releases_it(state: store.State) -> None:
    _renew(state, "one", now=0)
    with state.writing() as connection:
        store.release_lease(connection, "loop m", "two")
    assert _renew(state, "two", now=1) == "one"
    with state.writing() as connection:
        store.release_lease(connection, "loop m", "one")
    assert _renew(state, "two", now=1) == "two"
