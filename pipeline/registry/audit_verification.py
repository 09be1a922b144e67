"""Verify the audit trail, and that the deciding tables follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import state as store

if TYPE_CHECKING:
    from pipeline.state import AuditEntry, State

__all__ = ["AuditVerification", "restore_deployments", "verify_audit"]


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """The head of the trail, the breaks of its hash chain, and the rows that do not follow from it."""

    head: store.AuditHead
    breaks: tuple[store.ChainBreak, ...]
    undecided_changes: tuple[store.UndecidedChange, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing was changed by hand."""
        return not self.breaks and not self.undecided_changes

    @property
    def problems(self) -> tuple[str, ...]:
        """Each problem in words."""
        return (
            *(f"entry {entry.seq}: {entry.reason}" for entry in self.breaks),
            *map(str, self.undecided_changes),
        )


def verify_audit(state: State, *, head: store.AuditHead | None = None) -> AuditVerification:
    """Verify the chain, an earlier `head` of it, and every deciding row."""
    with state.reading() as connection:
        return AuditVerification(
            store.read_audit_head(connection),
            tuple(store.verify_audit_chain(connection, head=head)),
            tuple(store.find_undecided_changes(connection)),
        )


def restore_deployments(state: State, *, actor: str) -> list[AuditEntry]:
    """Set deployments that were changed by hand to what the trail holds, each with an entry of its own."""
    with state.writing() as connection:
        names = sorted({version.model for version in store.read_versions(connection)})
        entries = [store.restore_decided_deployment(connection, name, actor=actor, at=state.clock()) for name in names]
    return [entry for entry in entries if entry is not None]
