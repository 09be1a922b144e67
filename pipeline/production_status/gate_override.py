"""Find whether a version is deployed although its gates did not pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.state import AuditEntry, ModelVersion

__all__ = ["GateOverride", "find_gate_override"]


@dataclass(frozen=True, slots=True)
class GateOverride:
    """A deployed version that did not pass its gates.

    Attributes
    ----------
    version : int
    stage : str
        Production or Staging.
    n_failed : int or None
        Number of gates that did not pass; None without evaluated gates.
    actor, reason : str
        Who decided it and why; empty without an entry in the audit trail.
    """

    version: int
    stage: str
    n_failed: int | None
    actor: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What was overridden, by whom and why."""
        gates = "without evaluated gates"
        if self.n_failed is not None:
            gates = f"although {pluralize(self.n_failed, 'gate')} did not pass"
        decision = f"; {self.actor} forced it: {self.reason}" if self.actor else ""
        return f"Version {self.version} is in {self.stage} {gates}{decision}"


def find_gate_override(version: ModelVersion, entries: Iterable[AuditEntry]) -> GateOverride | None:
    """Return the override of a version in Production or Staging; None if its gates passed, or in another stage.

    `entries` are those of the audit trail of the model, in any order.
    """
    gates = version.tags.get("gates")
    if version.stage not in ("Production", "Staging") or (gates is not None and gates["verdict"] == "promote"):
        return None
    n_failed = None if gates is None else sum(gate["result"] != "pass" for gate in gates["gates"])
    forced = [entry for entry in entries if (entry.action, entry.version) == ("force", version.version)]
    if not forced:
        return GateOverride(version.version, version.stage, n_failed)
    entry = max(forced, key=lambda entry: entry.recorded_at)
    return GateOverride(version.version, version.stage, n_failed, entry.actor, entry.reason or "")
