"""A verification names breaks of the chain and rows that do not follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.registry.audit_verification import verify_audit
from pipeline.state import AuditHead, open_state

if TYPE_CHECKING:
    from pathlib import Path


def test_a_project_without_changes_by_hand_is_intact(project: Path) -> None:
    state = open_state(project)
    verification = verify_audit(state)
    assert verification.is_intact
    assert verification.problems == ()
    assert verify_audit(state, head=verification.head).is_intact
    state.close()


def test_problems_are_breaks_then_rows(project: Path) -> None:
    state = open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql("UPDATE models SET generation = 9")
    verification = verify_audit(state, head=AuditHead(1, "0" * 64))
    state.close()
    assert not verification.is_intact
    assert verification.problems == (
        "entry 1: differs from the anchored head: the trail was rewritten",
        "models personality_model: generation is 9, and 1 was decided",
    )
