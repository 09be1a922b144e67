"""What a comparison of a window with its baseline found, as frozen values."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.monitoring.drift.domain_classifier import DomainAuc

__all__ = ["DriftFinding", "DriftReport", "DriftVerdict"]

DriftVerdict = Literal["stable", "watch", "drift", "not_enough_data", "not_evaluated"]

_SORT_ORDER: tuple[DriftVerdict, ...] = ("drift", "watch", "not_evaluated", "not_enough_data", "stable")


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """How far one column moved, whether that is more than chance, and what it looks like.

    Parameters
    ----------
    column : str
    part : "feature" or "prediction"
    verdict : Verdict
    statistic : str
        The test that decided: `wasserstein` (in standard deviations of the reference), `jensen_shannon`
        (base 2), or `missing` (change of the share).
    value, limit : float or None
        It drifts when the value is above the limit and `p_value` below `alpha`, the level after correction.
    power : float or None
        Chance that a change as large as the limit would have been seen, the least over the column's tests.
    direction : "up", "down", "changed" or None
    importance : float or None
        Share of what the model loses when its columns are shuffled one by one.
    words : str
        How the distribution moved.
    statistics : mapping of str to float
        Every statistic that is defined, whether it decides or not.
    shares : tuple of (bin, share before, share now)
        The distribution on both sides.
    """

    column: str
    kind: Literal["feature", "prediction"]
    verdict: DriftVerdict
    statistic: str | None = None
    value: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    alpha: float | None = None
    power: float | None = None
    direction: str | None = None
    importance: float | None = None
    summary: str = ""
    statistics: Mapping[str, float] = field(default_factory=dict)
    shares: tuple[tuple[str, float, float], ...] = ()

    @classmethod
    def not_evaluated(cls, column: str, reason: str) -> DriftFinding:
        """Return the finding of a column that could not be counted."""
        return cls(column, "feature", "not_evaluated", summary=f"not evaluated: {reason}")

    @property
    def priority(self) -> float:
        """How often the limit is reached, times the share of importance where it is known."""
        if self.value is None or not self.threshold:
            return 0.0
        return self.value / self.threshold * (1.0 if self.importance is None else self.importance)

    @property
    def sort_key(self) -> tuple[int, bool, float, str]:
        """A key by which findings sort, the most worrying first; columns before predictions, which follow from them."""
        return _SORT_ORDER.index(self.verdict), self.kind == "prediction", -self.priority, self.column

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 6 significant digits."""
        return {**_to_json_value(asdict(self)), "concern": _round_significant(self.priority)}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The findings of one window, the most worrying first."""

    n_reference: int
    n_rows: int
    findings: tuple[DriftFinding, ...]
    multivariate: DomainAuc | None = None

    @property
    def verdict(self) -> DriftVerdict:
        """The loudest verdict of all; a column that could not be evaluated speaks only where no other does."""
        said = [one.verdict for one in self.findings]
        if self.multivariate is not None:
            said.append(self.multivariate.verdict)
        loudness: tuple[DriftVerdict, ...] = ("drift", "watch", "not_enough_data", "stable", "not_evaluated")
        return min(said, key=loudness.index, default="not_evaluated")

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Names of the columns that drifted."""
        return tuple(one.column for one in self.findings if one.verdict == "drift")

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        rows = f"{pluralize(self.n_rows, 'row')} against {self.n_reference:,}"
        loud = [one for one in self.findings if one.verdict == "drift"]
        if self.verdict == "not_enough_data":
            return f"not enough data: {rows}"
        if not loud:
            watched = [one.column for one in self.findings if one.verdict == "watch"]
            if self.multivariate is not None and self.multivariate.verdict == "drift":
                return f"columns moved together, none by itself: {self.multivariate.summary} ({rows})"
            return f"watched: {', '.join(watched)} ({rows})" if watched else f"stable: {rows}"
        shown = "; ".join(f"{one.column}: {one.summary}" for one in loud[:3])
        more = f"; and {len(loud) - 3} more" if len(loud) > 3 else ""
        return f"{len(loud)} of {len(self.findings)} drifted ({rows}). {shown}{more}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "verdict": self.verdict,
            "summary": self.summary,
            "n_reference": self.n_reference,
            "n_rows": self.n_rows,
            "drifted": list(self.drifted_columns),
            "multivariate": None if self.multivariate is None else self.multivariate.as_dict(),
            "findings": [one.as_dict() for one in self.findings],
        }


def _to_json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to_json_value(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_to_json_value(one) for one in value]
    return _round_significant(value) if isinstance(value, float) else value


def _round_significant(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
