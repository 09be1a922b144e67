"""The validation report of a set of rows, as plain values and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.validation.findings import LEVELS, SkippedCheck, ValidationFinding

if TYPE_CHECKING:
    from pipeline.validation.column_profile import ColumnProfile
    from pipeline.validation.dataset_drift import DriftTestResult
    from pipeline.validation.findings import Level
    from pipeline.validation.quality_score import QualityScore
    from pipeline.validation.row_bits import RowBits

__all__ = ["ValidationReport"]

_MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The results of all checks of one set of rows.

    Attributes
    ----------
    name : str
        Name of the rows.
    n_rows : int
    findings : tuple of ValidationFinding
        The most severe first; those of level ok included.
    skipped_checks : tuple of SkippedCheck
        Columns that could not be checked, and why.
    quality : QualityScore
    profiles : tuple of ColumnProfile
    class_counts : dict
        Rows of each declared class.
    drift : tuple of DriftTestResult
        Empty without a reference.
    n_incomplete, n_duplicates : int
        Rows with a missing feature, rows that repeat an earlier row.
    undeclared_columns : tuple of str
        Columns that are not declared; they are not checked.
    failed_rows : RowBits
        Rows that break a declared rule.
    n_quarantined : int
        Failed rows that are quarantined.
    n_unlabeled : int
        Rows without a declared class that were set aside; no other figure counts them.
    not_checked : tuple of str
        Checks that need all rows at once, where the rows were validated in parts.
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
    failed_rows: RowBits
    n_quarantined: int = 0
    n_unlabeled: int = 0
    not_checked: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """The most severe level of all findings."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="ok")

    @property
    def blocks_training(self) -> bool:
        """Whether the rows are unfit for training."""
        return self.level in ("error", "critical")

    def notable_findings(self) -> tuple[ValidationFinding, ...]:
        """Return the findings above level ok."""
        return tuple(finding for finding in self.findings if finding.level != "ok")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with the keys of the report's file."""
        by_rule = _group_by_rule(self.findings)
        return {
            "name": self.name,
            "rows": self.n_rows,
            "quarantined": self.n_quarantined,
            "unlabeled": self.n_unlabeled,
            "level": self.level,
            "is_valid": not self.blocks_training,
            "quality_score": float(f"{self.quality.score:.6g}"),
            "quality": self.quality.as_dict(),
            "score_weights": dict(self.quality.weights),
            "findings": [finding.as_dict() for finding in self.findings],
            "not_evaluated": [asdict(check) for check in self.skipped_checks],
            "not_checked": list(self.not_checked),
            "undeclared_columns": list(self.undeclared_columns),
            "missing_data": self._missing_data(),
            "data_types": {profile.column: profile.kind for profile in self.profiles},
            "duplicates": {"rows": self.n_duplicates, "share": _share(self.n_duplicates, self.n_rows)},
            "outliers": {finding["column"]: finding["n_failed"] for finding in by_rule.get("outliers", [])},
            "class_balance": {
                name: {"rows": n, "share": _share(n, self.n_rows)} for name, n in self.class_counts.items()
            },
            "constant_columns": [finding["column"] for finding in by_rule.get("constant", [])],
            "leakage": [finding["column"] for finding in by_rule.get("leakage", [])],
            "drift": [result.as_dict() for result in self.drift],
            "distributions": {profile.column: profile.as_dict() for profile in self.profiles},
        }

    def _missing_data(self) -> dict[str, Any]:
        columns = {
            profile.column: {"rows": profile.n_missing, "share": _share(profile.n_missing, profile.n_rows)}
            for profile in self.profiles
        }
        return {
            "columns": columns,
            "incomplete_rows": {"rows": self.n_incomplete, "share": _share(self.n_incomplete, self.n_rows)},
        }

    def as_text(self) -> str:
        """Return the findings above level ok as lines, the most severe first, at most twenty."""
        lines = [f"{finding.level}: {finding.title}: {finding.message}" for finding in self.notable_findings()]
        n_omitted = len(lines) - _MAX_LISTED
        return "\n".join(lines[:_MAX_LISTED] + ([f"and {n_omitted} more"] if n_omitted > 0 else []))


def _share(n: int, total: int) -> float:
    return float(f"{n / total:.6g}") if total else 0.0


def _group_by_rule(findings: tuple[ValidationFinding, ...]) -> dict[str, list[dict[str, Any]]]:
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding.as_dict())
    return by_rule
