"""Say what served at a moment, and why, from the audit trail alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import AuditEntry

__all__ = ["PastDeployment", "deployments_after"]


@dataclass(frozen=True, slots=True)
class PastDeployment:
    """What stood in a stage of a model at a moment, and the decision that had put it there."""

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
    """Return what stood where after the last of `entries`, which are in their order up to the moment asked for."""
    placed: dict[tuple[str, str], PastDeployment] = {}
    for entry in entries:
        if entry.generation is None:
            continue
        for key in [key for key in placed if key[0] == entry.model and key[1] not in entry.after]:
            del placed[key]
        for stage, one in entry.after.items():
            known = placed.get((entry.model, stage))
            if known is None or known.digest != one["digest"]:
                placed[entry.model, stage] = PastDeployment(
                    model=entry.model,
                    stage=stage,
                    version=one["version"],
                    digest=one["digest"],
                    generation=entry.generation,
                    entry=entry,
                )
    return [placed[key] for key in sorted(placed)]
