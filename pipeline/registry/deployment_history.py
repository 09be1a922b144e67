"""Reconstruct past deployments from the audit trail."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import AuditEntry

__all__ = ["PastDeployment", "deployments_after"]


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
