"""A deployed version that did not pass its gates is found, with who forced it and why."""

from __future__ import annotations

from pipeline.production_status import GateOverride, find_gate_override
from pipeline.state import AuditEntry
from tests.pipeline.production_status.status_scenarios import version


def _forced(number: int, at: int, actor: str, reason: str) -> AuditEntry:
    return AuditEntry(at, at, actor, "force", "m", number, 1, {}, {}, reason, {}, "h")


def test_a_version_that_passed_or_is_not_deployed_has_no_override() -> None:
    assert find_gate_override(version(2), [_forced(2, 1, "ada", "x")]) is None
    assert find_gate_override(version(2, verdict="reject", stage="Archived"), []) is None


def test_a_forced_version_in_staging_has_an_override_too() -> None:
    override = find_gate_override(version(2, verdict="reject", stage="Staging"), [_forced(2, 1, "ada", "try")])
    assert override == GateOverride(2, "Staging", 2, "ada", "try")


def test_the_latest_forced_decision_about_the_version_counts() -> None:
    entries = [_forced(2, 1, "ada", "old"), _forced(2, 5, "bob", "new"), _forced(1, 9, "eve", "other")]
    assert find_gate_override(version(2, verdict="reject"), entries) == GateOverride(2, "Production", 2, "bob", "new")


def test_the_sentence_names_what_is_known() -> None:
    assert GateOverride(2, "Production", 1, "ada", "urgent").sentence == (
        "Version 2 is in Production although 1 gate did not pass; ada forced it: urgent"
    )
    assert GateOverride(3, "Production", None).sentence == "Version 3 is in Production without evaluated gates"
