"""Reconstruct past deployments from the audit trail."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import AuditEntry

__all__ = ["PastDeployment", "ProductionChange", "deployments_after", "production_changes"]


@dataclass(frozen=True, slots=True)
class PastDeployment:
    """The version in a stage of a model at a past time, and the audit entry of the decision that deployed it."""

    model: str
    stage: str
    version: int
    digest: str
    generation: int
    entry: AuditEntry

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ProductionChange:
    """Another version went to Production at `at`, in microseconds since 1970; `version` is None for none."""

    at: int
    model: str
    version: int | None
    entry: AuditEntry


def production_changes(entries: Sequence[AuditEntry]) -> list[ProductionChange]:
    """Return the decisions that put another version into Production, in the order of time.

    Parameters
    ----------
    entries : sequence of AuditEntry
        In any order, of any models.
    """
    changes = []
    for entry in sorted(entries, key=lambda entry: entry.seq):
        if entry.generation is None:
            continue
        before, after = (side.get("Production", {}).get("version") for side in (entry.before, entry.after))
        if before != after:
            changes.append(ProductionChange(entry.recorded_at, entry.model, after, entry))
    return changes


def deployments_after(entries: Sequence[AuditEntry]) -> list[PastDeployment]:
    """Return the deployments after the last of `entries`, which are complete and in order up to that time."""
    deployments: dict[tuple[str, str], PastDeployment] = {}
    for entry in entries:
        if entry.generation is None:
            continue
        for key in [key for key in deployments if key[0] == entry.model and key[1] not in entry.after]:
            del deployments[key]
        for stage, deployed in entry.after.items():
            if stage not in ("Staging", "Production"):
                continue
            current = deployments.get((entry.model, stage))
            if current is None or current.digest != deployed["digest"]:
                deployments[entry.model, stage] = PastDeployment(
                    model=entry.model,
                    stage=stage,
                    version=deployed["version"],
                    digest=deployed["digest"],
                    generation=entry.generation,
                    entry=entry,
                )
    return [deployments[key] for key in sorted(deployments)]
