"""Create, revoke and read API keys; the database stores only the digest of a key."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from pipeline.errors import UsageError
from pipeline.state.audit_trail import AuditEvent, append_audit_entry
from pipeline.state.tables import api_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.state.database import State

__all__ = [
    "API_KEY_PREFIX",
    "ApiKeyRecord",
    "create_api_key",
    "parse_api_key",
    "read_api_keys",
    "record_api_key_use",
    "revoke_api_key",
]

API_KEY_PREFIX = "mlops_"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
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
        """Whether the key is accepted at a moment: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the public values: everything but the digest."""
        public = ("id", "role", "name", "created_at", "expires_at", "last_used_at", "revoked_at")
        return {field: getattr(self, field) for field in public}

    def decided_values(self) -> dict[str, str | int | None]:
        """Return the values for the audit trail, which shows that a row was given another key or role."""
        return {**self.as_dict(), "digest": self.digest}


def parse_api_key(key: str) -> tuple[str, str] | None:
    """Return the public part of a key and the digest of the whole; None when the text is not an API key."""
    identifier, _, secret = key.removeprefix(API_KEY_PREFIX).partition("_")
    if not key.startswith(API_KEY_PREFIX) or not identifier or not secret:
        return None
    return identifier, hashlib.sha256(key.encode()).hexdigest()


def create_api_key(
    state: State, role: str, *, name: str, actor: str, expires_at: int | None = None
) -> tuple[str, ApiKeyRecord]:
    """Create a key; return it with its record. Only its digest is stored."""
    identifier = secrets.token_hex(6)
    key = f"{API_KEY_PREFIX}{identifier}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    at = state.clock()
    digest = hashlib.sha256(key.encode()).hexdigest()
    record = ApiKeyRecord(identifier, digest, role, name, at, expires_at, None, None)
    with state.writing() as connection:
        connection.execute(insert(api_keys).values(digest=digest, **record.as_dict()))
        append_audit_entry(connection, AuditEvent(actor, "create key", at), model="", after=record.decided_values())
    return key, record


def revoke_api_key(state: State, identifier: str, *, actor: str, reason: str = "") -> ApiKeyRecord:
    """Revoke a key; a second call does not change the moment of the first.

    Raises
    ------
    UsageError
        When there is no such key.
    """
    with state.writing() as connection:
        row = connection.execute(select(api_keys).where(api_keys.c.id == identifier)).first()
        if row is None:
            raise UsageError(f"no key has the id {identifier!r}; `mlops keys list` shows them")
        before = ApiKeyRecord(**row._asdict())
        if before.revoked_at is not None:
            return before
        at = state.clock()
        connection.execute(update(api_keys).where(api_keys.c.id == identifier).values(revoked_at=at))
        after = ApiKeyRecord(**{**row._asdict(), "revoked_at": at})
        append_audit_entry(
            connection,
            AuditEvent(actor, "revoke key", at, reason),
            model="",
            before=before.decided_values(),
            after=after.decided_values(),
        )
        return after


def read_api_keys(state: State) -> list[ApiKeyRecord]:
    """Return all keys, revoked and expired ones too, oldest first."""
    with state.reading() as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)).all()
    return [ApiKeyRecord(**row._asdict()) for row in rows]


def record_api_key_use(state: State, last_used_at: Mapping[str, int]) -> None:
    """Store the moment of the last use of each key, by its id."""
    if not last_used_at:
        return
    with state.writing() as connection:
        for identifier, at in last_used_at.items():
            connection.execute(update(api_keys).where(api_keys.c.id == identifier).values(last_used_at=at))
