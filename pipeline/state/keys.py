"""Keep the keys of callers: each is shown once, and only its digest is stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from pipeline.errors import UsageError
from pipeline.state.audit import Act, append
from pipeline.state.tables import api_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.state.database import State

__all__ = ["KEY_PREFIX", "KeyRecord", "create_key", "keys", "note_use", "revoke_key", "split_key"]

KEY_PREFIX = "mlops_"
_N_SECRET = 32


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its secret. Moments are in microseconds since 1970, UTC."""

    id: str
    digest: str
    role: str
    name: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None

    def is_valid(self, at: int) -> bool:
        """Whether it opens anything at a moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def as_dict(self) -> dict[str, str | int | None]:
        """Return what may be shown: everything but the digest."""
        kept = ("id", "role", "name", "created_at", "expires_at", "last_used_at", "revoked_at")
        return {field: getattr(self, field) for field in kept}


def split_key(key: str) -> tuple[str, str] | None:
    """Return the public part of a key and the digest of the whole; None when it is no key of ours."""
    identifier, _, secret = key.removeprefix(KEY_PREFIX).partition("_")
    if not key.startswith(KEY_PREFIX) or not identifier or not secret:
        return None
    return identifier, hashlib.sha256(key.encode()).hexdigest()


def create_key(
    state: State, role: str, *, name: str, actor: str, expires_at: int | None = None
) -> tuple[str, KeyRecord]:
    """Make a key; return it, which nobody can read again, and its record."""
    identifier = secrets.token_hex(6)
    key = f"{KEY_PREFIX}{identifier}_{secrets.token_urlsafe(_N_SECRET)}"
    at = state.clock()
    digest = hashlib.sha256(key.encode()).hexdigest()
    record = KeyRecord(identifier, digest, role, name, at, expires_at, None, None)
    with state.writing() as connection:
        connection.execute(insert(api_keys).values(digest=digest, **record.as_dict()))
        append(connection, Act(actor, "create key", at), model="", after=record.as_dict())
    return key, record


def revoke_key(state: State, identifier: str, *, actor: str, reason: str = "") -> KeyRecord:
    """Take a key back; once is enough, the first moment stays.

    Raises
    ------
    UsageError
        When there is no such key.
    """
    with state.writing() as connection:
        row = connection.execute(select(api_keys).where(api_keys.c.id == identifier)).first()
        if row is None:
            raise UsageError(f"no key has the id {identifier!r}; `mlops keys list` shows them")
        before = KeyRecord(**row._asdict())
        if before.revoked_at is not None:
            return before
        at = state.clock()
        connection.execute(update(api_keys).where(api_keys.c.id == identifier).values(revoked_at=at))
        after = KeyRecord(**{**row._asdict(), "revoked_at": at})
        append(
            connection, Act(actor, "revoke key", at, reason), model="", before=before.as_dict(), after=after.as_dict()
        )
        return after


def keys(state: State) -> list[KeyRecord]:
    """Return every key that was ever made, oldest first."""
    with state.reading() as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)).all()
    return [KeyRecord(**row._asdict()) for row in rows]


def note_use(state: State, used: Mapping[str, int]) -> None:
    """Write down when keys were last used, by their id."""
    if not used:
        return
    with state.writing() as connection:
        for identifier, at in used.items():
            connection.execute(update(api_keys).where(api_keys.c.id == identifier).values(last_used_at=at))
