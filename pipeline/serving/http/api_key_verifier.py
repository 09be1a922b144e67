"""Accept API keys: looked up in memory, read anew from the state database every two seconds."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.serving.http.authentication import Principal
from pipeline.state.database import utc_now_us

if TYPE_CHECKING:
    from pipeline.state import ApiKeyRecord, State

__all__ = ["ApiKeyVerifier"]

_RELOAD_INTERVAL_S = 2.0
_RELOADS_PER_SAVE = 15
_NO_DIGEST = "0" * 64


@dataclass(slots=True)
class ApiKeyVerifier:
    """The keys of one state database, once it is open. `follow` keeps them fresh: a key that is taken back opens nothing 2 s later."""

    state: State | None = None
    _records: dict[str, tuple[ApiKeyRecord, Principal]] = field(default_factory=dict)
    _last_used: dict[str, int] = field(default_factory=dict)

    def recognizes(self, token: str) -> bool:
        """Whether it looks like a key of ours."""
        return token.startswith(store.API_KEY_PREFIX)

    async def verify(self, token: str) -> Principal | None:
        """Return the caller; the comparison takes as long for a wrong key as for a right one."""
        parts = store.parse_api_key(token)
        if parts is None:
            return None
        identifier, digest = parts
        known = self._records.get(identifier)
        is_same = hmac.compare_digest(digest, known[0].digest if known is not None else _NO_DIGEST)
        if known is None or not is_same:
            return None
        record, caller = known
        at = utc_now_us()
        if not record.is_valid(at):
            return None
        self._last_used[identifier] = at
        return caller

    def reload(self) -> None:
        """Read all keys from the database."""
        if self.state is not None:
            self._records = {
                one.id: (one, Principal.from_roles(one.id, (one.role,))) for one in store.read_api_keys(self.state)
            }

    def save_last_used(self) -> None:
        """Write down when keys were last used."""
        used, self._last_used = self._last_used, {}
        if self.state is not None:
            store.record_api_key_use(self.state, used)

    async def reload_periodically(self) -> None:
        """Read the keys again and again, until cancelled. A database that is away leaves those that are known."""
        for turn in range(1, 1 << 62):
            await asyncio.sleep(_RELOAD_INTERVAL_S)
            try:
                await asyncio.to_thread(self.reload)
                if turn % _RELOADS_PER_SAVE == 0:
                    await asyncio.to_thread(self.save_last_used)
            except MlopsError:
                continue
