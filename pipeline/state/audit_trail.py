"""Append entries to the audit trail and verify its hash chain: each entry includes the hash of the previous one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from pipeline.errors import UsageError
from pipeline.files import canonical_json, sha256
from pipeline.state.sequence import next_number
from pipeline.state.stored_json import parse_stored_object
from pipeline.state.tables import audit, counters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import Connection

__all__ = [
    "AuditEntry",
    "AuditEvent",
    "AuditHead",
    "ChainBreak",
    "append_audit_entry",
    "read_audit_entries",
    "read_audit_head",
    "verify_audit_chain",
]

_GENESIS_HASH = "0" * 64
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_HASHED_FIELDS = (
    "seq",
    "recorded_at",
    "actor",
    "action",
    "model",
    "version",
    "generation",
    "before",
    "after",
    "reason",
    "evidence",
    "previous",
)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event to record: actor, action, moment (microseconds since 1970, UTC), reason and evidence."""

    actor: str
    action: str
    recorded_at: int
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One recorded decision with the state before and after it; `recorded_at` is in microseconds since 1970, UTC."""

    seq: int
    recorded_at: int
    actor: str
    action: str
    model: str
    version: int | None
    generation: int | None
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    evidence: dict[str, Any]
    hash: str

    @property
    def head(self) -> AuditHead:
        """The head of the trail that ends with this entry."""
        return AuditHead(self.seq, self.hash)


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The number and hash of an entry; a copy outside of the database shows that the trail was rewritten."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> AuditHead:
        """Read the form SEQ:HASH.

        Raises
        ------
        UsageError
            When the text has another form.
        """
        match = _HEAD.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"audit head {text!r}: expected SEQ:HASH, as `mlops audit head` prints it")
        return cls(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """A break in the hash chain: the number of the entry, and the reason."""

    seq: int
    reason: str


def append_audit_entry(
    connection: Connection,
    event: AuditEvent,
    *,
    model: str,
    version: int | None = None,
    generation: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry in the transaction of `connection`, so that it commits with the change or not at all."""
    seq = next_number(connection, "audit")
    last = connection.execute(select(audit.c.hash).where(audit.c.seq == seq - 1)).scalar()
    row: dict[str, Any] = {
        "seq": seq,
        "recorded_at": event.recorded_at,
        "actor": event.actor,
        "action": event.action,
        "model": model,
        "version": version,
        "generation": generation,
        "before": canonical_json(dict(before or {})),
        "after": canonical_json(dict(after or {})),
        "reason": event.reason,
        "evidence": canonical_json(dict(event.evidence)),
        "previous": last if last is not None else _GENESIS_HASH,
    }
    row["hash"] = _entry_hash(row)
    connection.execute(insert(audit).values(**row))
    return _entry_from_row(row)


def read_audit_entries(
    connection: Connection,
    *,
    model: str | None = None,
    since: int | None = None,
    until: int | None = None,
    actions: Collection[str] | None = None,
    limit: int | None = None,
) -> list[AuditEntry]:
    """Return entries, oldest first: the last `limit` of one model between two moments; None sets no filter."""
    query = select(audit).order_by(audit.c.seq.desc())
    if model is not None:
        query = query.where(audit.c.model == model)
    if actions is not None:
        query = query.where(audit.c.action.in_(actions))
    if since is not None:
        query = query.where(audit.c.recorded_at >= since)
    if until is not None:
        query = query.where(audit.c.recorded_at <= until)
    if limit is not None:
        query = query.limit(limit)
    return [_entry_from_row(row._asdict()) for row in reversed(connection.execute(query).all())]


def read_audit_head(connection: Connection) -> AuditHead:
    """Return the number and hash of the last entry; 0 and the hash before the first entry without one."""
    row = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).one_or_none()
    return AuditHead(0, _GENESIS_HASH) if row is None else AuditHead(row.seq, row.hash)


def verify_audit_chain(connection: Connection, *, head: AuditHead | None = None) -> list[ChainBreak]:
    """Return every place where an entry was changed, removed or inserted; empty if the chain is intact.

    The counter of the sequence, in another table, shows that the newest entries were removed. `head`, an earlier head
    that was stored elsewhere, shows that the whole chain and the counter were rewritten.
    """
    return [*_iter_breaks(connection), *_iter_head_breaks(connection, head)]


def _iter_head_breaks(connection: Connection, head: AuditHead | None) -> Iterator[ChainBreak]:
    if head is None or (head.seq, head.hash) == (0, _GENESIS_HASH):
        return
    stored = connection.execute(select(audit.c.hash).where(audit.c.seq == head.seq)).scalar()
    if stored is None:
        yield ChainBreak(head.seq, "is the anchored head, and the entry is missing")
    elif stored != head.hash:
        yield ChainBreak(head.seq, "differs from the anchored head: the trail was rewritten")


def _iter_breaks(connection: Connection) -> Iterator[ChainBreak]:
    expected, previous = 1, _GENESIS_HASH
    for row in connection.execute(select(audit).order_by(audit.c.seq)):
        values: dict[str, Any] = row._asdict()
        if row.seq != expected:
            yield ChainBreak(expected, f"entries {expected} to {row.seq - 1} are missing")
        elif row.previous != previous:
            yield ChainBreak(row.seq, "does not follow the entry before it")
        if _entry_hash(values) != row.hash:
            yield ChainBreak(row.seq, "was changed after it was written")
        expected, previous = row.seq + 1, row.hash
    last = connection.execute(select(counters.c.value).where(counters.c.name == "audit")).scalar() or 0
    n_rows = connection.execute(select(func.count()).select_from(audit)).scalar() or 0
    if last >= expected:
        yield ChainBreak(expected, f"entries {expected} to {last} are missing")
    elif last < n_rows:
        yield ChainBreak(last + 1, f"entries after {last} were not added by this program")


def _entry_hash(row: Mapping[str, Any]) -> str:
    return sha256(canonical_json({name: row[name] for name in _HASHED_FIELDS}).encode())


def _entry_from_row(values: Mapping[str, Any]) -> AuditEntry:
    plain: dict[str, Any] = {
        name: parse_stored_object(values[name], table="audit", row=str(values["seq"]), column=name)
        for name in ("before", "after", "evidence")
    }
    copied = ("seq", "recorded_at", "actor", "action", "model", "version", "generation", "reason", "hash")
    return AuditEntry(**{name: values[name] for name in copied}, **plain)
