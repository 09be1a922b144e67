"""Read how far a job in parts is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.parts.part_commit import read_manifest
from pipeline.parts.part_plan import PartPlan, read_plan
from pipeline.parts.part_record import read_records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.storage import StoragePath

__all__ = ["PartProgress"]


@dataclass(frozen=True, slots=True)
class PartProgress:
    """How far a job is.

    Attributes
    ----------
    folder : StoragePath
    plan : PartPlan
    missing : tuple of int
        Numbers of parts that have not run; none when the job is committed.
    manifest : mapping or None
        None while the job is not committed.
    """

    folder: StoragePath
    plan: PartPlan
    missing: tuple[int, ...]
    manifest: Mapping[str, Any] | None

    @classmethod
    def read(cls, folder: StoragePath) -> PartProgress:
        """Return the progress of the job in a folder.

        Raises
        ------
        UsageError
            When the folder has no plan.
        """
        plan, manifest = read_plan(folder), read_manifest(folder)
        if manifest is not None:
            return cls(folder, plan, (), manifest)
        records = read_records(folder, plan_digest=plan.digest)
        return cls(folder, plan, tuple(part.number for part in plan.parts if part.number not in records), None)

    @property
    def n_done(self) -> int:
        """Number of parts that ran."""
        return len(self.plan.parts) - len(self.missing)

    def as_dict(self) -> dict[str, Any]:
        """Return the progress as JSON values; `files` are the addresses of the result, in the order of its rows."""
        parts = [] if self.manifest is None else self.manifest["parts"]
        return {
            "job": self.plan.job,
            "n_rows": self.plan.n_rows,
            "n_parts": len(self.plan.parts),
            "n_done": self.n_done,
            "missing": list(self.missing),
            "is_committed": self.manifest is not None,
            "committed_at": None if self.manifest is None else self.manifest["committed_at"],
            "committed_by": None if self.manifest is None else self.manifest["committed_by"],
            "files": [str(self.folder / file["name"]) for part in parts for file in part["files"]],
        }
