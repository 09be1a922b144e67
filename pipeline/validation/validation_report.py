"""Everything that validation found, for programs and for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.validation.findings import LEVELS, SkippedCheck, ValidationFinding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.validation.column_profile import ColumnProfile
    from pipeline.validation.dataset_drift import DriftTestResult
    from pipeline.validation.findings import Level
    from pipeline.validation.quality_score import QualityScore

__all__ = ["ValidationReport"]

_MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What was found in one set of rows.

    Attributes
    ----------
    name : str
        What the rows are called.
    n_rows : int
    findings : tuple of Finding
        Loudest first; quiet ones included.
    not_evaluated : tuple of NotEvaluated
        Columns that could not be checked, and why; they hide no other.
    quality : Quality
    profiles : tuple of Profile
    classes : dict
        Rows of each declared class.
    drift : tuple of ColumnDrift
        Empty without a reference.
    incomplete, n_duplicates : int
        Rows that lack a feature, rows that repeat an earlier one.
    extra : tuple of str
        Columns that are not declared; nobody looked at them.
    bad : bool, shape (n_rows,)
        Rows that break a declared rule.
    n_quarantined : int
        Bad rows that are set aside.
    """

    name: str
    n_rows: int
    findings: tuple[ValidationFinding, ...]
    skipped_checks: tuple[SkippedCheck, ...]
    quality: QualityScore
    profiles: tuple[ColumnProfile, ...]
    class_counts: dict[str, int]
    drift: tuple[DriftTestResult, ...]
    n_incomplete: int
    n_duplicates: int
    undeclared_columns: tuple[str, ...]
    failed_mask: NDArray[np.bool_]
    n_quarantined: int = 0

    @property
    def level(self) -> Level:
        """The loudest level of all findings."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="ok")

    @property
    def blocks_training(self) -> bool:
        """Whether the rows must not be learned from."""
        return self.level in ("error", "critical")

    def notable_findings(self) -> tuple[ValidationFinding, ...]:
        """Return the findings that say more than ok."""
        return tuple(finding for finding in self.findings if finding.level != "ok")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with the keys of the report's file."""
        by_rule = _group_by_rule(self.findings)
        return {
            "name": self.name,
            "rows": self.n_rows,
            "quarantined": self.n_quarantined,
            "level": self.level,
            "is_valid": not self.blocks_training,
            "quality_score": float(f"{self.quality.score:.6g}"),
            "quality": self.quality.as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
            "not_evaluated": [asdict(one) for one in self.skipped_checks],
            "undeclared_columns": list(self.undeclared_columns),
            "missing_data": self._missing_data(),
            "data_types": {one.column: one.kind for one in self.profiles},
            "duplicates": {"rows": self.n_duplicates, "share": _share(self.n_duplicates, self.n_rows)},
            "outliers": {one["column"]: one["n_failed"] for one in by_rule.get("outliers", [])},
            "class_balance": {
                name: {"rows": n, "share": _share(n, self.n_rows)} for name, n in self.class_counts.items()
            },
            "constant_columns": [one["column"] for one in by_rule.get("constant", [])],
            "leakage": [one["column"] for one in by_rule.get("leakage", [])],
            "drift": [one.as_dict() for one in self.drift],
            "distributions": {one.column: one.as_dict() for one in self.profiles},
        }

    def _missing_data(self) -> dict[str, Any]:
        columns = {
            one.column: {"rows": one.n_missing, "share": _share(one.n_missing, one.n_rows)} for one in self.profiles
        }
        return {
            "columns": columns,
            "incomplete_rows": {"rows": self.n_incomplete, "share": _share(self.n_incomplete, self.n_rows)},
        }

    def as_text(self) -> str:
        """Return the loud findings as lines, loudest first, at most twenty."""
        lines = [
            f"{one.level}: {one.rule}{f' of {one.column}' if one.column is not None else ''}: {one.message}"
            for one in self.notable_findings()
        ]
        rest = len(lines) - _MAX_LISTED
        return "\n".join(lines[:_MAX_LISTED] + ([f"and {rest} more"] if rest > 0 else []))


def _share(n: int, total: int) -> float:
    return float(f"{n / total:.6g}") if total else 0.0


def _group_by_rule(findings: tuple[ValidationFinding, ...]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        found.setdefault(finding.rule, []).append(finding.as_dict())
    return found
