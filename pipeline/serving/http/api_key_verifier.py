"""Verify API keys in memory; they are reloaded from the state database every two seconds."""

from __future__ import annotations

import asyncio
import hmac
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.serving.http.authentication import Principal
from pipeline.serving.steady_clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import ApiKeyRecord, State

__all__ = ["ApiKeyVerifier"]

_RELOAD_INTERVAL_S = 2.0
_RELOADS_PER_SAVE = 15
_NO_DIGEST = "0" * 64


@dataclass(slots=True)
class ApiKeyVerifier:
    """Verifies the keys of a state database.

    `reload_periodically` keeps them current: a revoked key is refused within two seconds.

    Parameters
    ----------
    state : State or None
        Set before the first `reload`.
    clock : callable
        Returns the seconds since 1970 by which keys expire.
    """

    state: State | None = None
    clock: Callable[[], float] = field(default_factory=SteadyClock)
    _records: dict[str, tuple[ApiKeyRecord, Principal]] = field(default_factory=dict)
    _last_used: dict[str, int] = field(default_factory=dict)

    def recognizes(self, token: str) -> bool:
        """Whether the token has the prefix of our keys."""
        return token.startswith(store.API_KEY_PREFIX)

    async def verify(self, token: str) -> Principal | None:
        """Return the caller of a valid key, otherwise None; the comparison takes constant time."""
        parts = store.parse_api_key(token)
        if parts is None:
            return None
        key_id, digest = parts
        entry = self._records.get(key_id)
        is_same = hmac.compare_digest(digest, entry[0].digest if entry is not None else _NO_DIGEST)
        if entry is None or not is_same:
            return None
        record, principal = entry
        now_us = int(self.clock() * 1_000_000)
        if not record.is_valid(now_us):
            return None
        self._last_used[key_id] = now_us
        return principal

    def reload(self) -> None:
        """Read all keys from the database."""
        if self.state is not None:
            self._records = {
                record.id: (record, Principal.from_roles(record.id, (record.role,)))
                for record in store.read_api_keys(self.state)
            }

    def save_last_used(self) -> None:
        """Store the times of the last use of keys."""
        last_used, self._last_used = self._last_used, {}
        if self.state is not None:
            store.record_api_key_use(self.state, last_used)

    async def reload_periodically(self) -> None:
        """Reload the keys every two seconds until cancelled; without the database the loaded keys stay."""
        for n_reloads in itertools.count(1):
            await asyncio.sleep(_RELOAD_INTERVAL_S)
            try:
                await asyncio.to_thread(self.reload)
                if n_reloads % _RELOADS_PER_SAVE == 0:
                    await asyncio.to_thread(self.save_last_used)
            except MlopsError:
                continue
