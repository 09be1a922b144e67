from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.serving.http.api_key_verifier import ApiKeyVerifier
from pipeline.state.database import utc_now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.serving.http.authentication import Principal
    from pipeline.state import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = store.open_state(tmp_path)
    yield state
    state.close()


def create_key(state: State, role: str = "operator", expires_at: int | None = None) -> tuple[str, str]:
    key, record = store.create_api_key(state, role, name="shop", actor="ada", expires_at=expires_at)
    return key, record.id


def verify(state: State, token: str) -> Principal | None:
    verifier = ApiKeyVerifier(state)
    verifier.reload()
    return asyncio.run(verifier.verify(token))


def test_a_valid_key_gives_its_id_and_roles(state: State) -> None:
    key, key_id = create_key(state)
    principal = verify(state, key)
    assert principal is not None
    assert (principal.id, principal.roles) == (key_id, {"operator", "viewer"})


def test_another_secret_with_a_known_id_is_refused(state: State) -> None:
    key, _ = create_key(state)
    other, _ = create_key(state)
    forged = key.rpartition("_")[0] + "_" + other.rpartition("_")[2]
    assert verify(state, forged) is None


@pytest.mark.parametrize("token", ["", "mlops_", "mlops_x_y", "other", "mlops_000000000000_" + "a" * 43])
def test_an_unknown_or_malformed_key_is_refused(state: State, token: str) -> None:
    assert verify(state, token) is None


def test_an_expired_key_is_refused(state: State) -> None:
    key, _ = create_key(state, expires_at=utc_now_us() - 1)
    assert verify(state, key) is None


def test_a_revoked_key_is_refused_after_a_reload(state: State) -> None:
    key, key_id = create_key(state)
    verifier = ApiKeyVerifier(state)
    verifier.reload()
    store.revoke_api_key(state, key_id, actor="ada", reason="lost")
    assert asyncio.run(verifier.verify(key)) is not None
    verifier.reload()
    assert asyncio.run(verifier.verify(key)) is None


def test_the_last_use_of_a_key_is_stored_once(state: State) -> None:
    key, _ = create_key(state)
    verifier = ApiKeyVerifier(state)
    verifier.reload()
    asyncio.run(verifier.verify(key))
    verifier.save_last_used()
    [record] = store.read_api_keys(state)
    assert record.last_used_at is not None
    assert verifier._last_used == {}


@pytest.mark.parametrize(("token", "expected"), [("mlops_1_a", True), ("a.b.c", False), ("", False)])
def test_our_keys_are_recognized_by_their_prefix(token: str, expected: bool) -> None:
    assert ApiKeyVerifier().recognizes(token) is expected


def test_without_a_state_database_no_key_is_known() -> None:
    verifier = ApiKeyVerifier()
    verifier.reload()
    verifier.save_last_used()
    assert asyncio.run(verifier.verify("mlops_000000000000_" + "a" * 43)) is None
