"""The findings of a comparison of a window with its baseline, as frozen values."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline.monitoring.drift.verdict_severity import most_severe_verdict
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.monitoring.drift.domain_classifier import DomainAuc
    from pipeline.monitoring.drift.verdict_severity import DriftVerdict

__all__ = ["WATCH_SHARE", "DriftFinding", "DriftReport"]

WATCH_SHARE = 0.5  # share of the threshold from which a significant change gives the verdict "watch"

_SORT_ORDER: tuple[DriftVerdict, ...] = ("drift", "watch", "not_evaluated", "not_enough_data", "stable")
_MAX_SUMMARY_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """The drift of one column: its verdict, the test that decided, and the distribution on both sides.

    Parameters
    ----------
    column : str
    kind : "feature" or "prediction"
    verdict : DriftVerdict
    statistic : str
        The test that decided: `wasserstein` (in standard deviations of the reference), `jensen_shannon`
        (base 2), `missing` (change of the share), `rare_values` (rise of the share of one value that is rare in
        the reference) or `rank_biserial` (in pairs of rows).
    value, threshold : float or None
        It drifts when the value is above the threshold and `p_value` below `alpha`, the level after correction.
    power : float or None
        Probability that the test detects a change as large as the threshold.
    direction : "up", "down", "changed" or None
        None unless the verdict is drift or watch.
    importance : float or None
        Share of the column in the permutation importance of all features.
    effect : str
        What the deciding test measured, with its value; the reason for `not_evaluated` and `not_enough_data`,
        whose findings have neither value nor statistics.
    changes : tuple of str
        Other notable changes of the column.
    statistics : mapping of str to float
        Every statistic that is defined, whether it decides or not.
    shares : tuple of (bin, share of the reference, share of the window)
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
    effect: str = ""
    changes: tuple[str, ...] = ()
    statistics: Mapping[str, float] = field(default_factory=dict)
    shares: tuple[tuple[str, float, float], ...] = ()

    @classmethod
    def not_evaluated(cls, column: str, reason: str) -> DriftFinding:
        """Return the finding of a column that could not be counted."""
        return cls(column, "feature", "not_evaluated", effect=reason)

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is below the corrected level."""
        return self.p_value is not None and self.alpha is not None and self.p_value < self.alpha

    @property
    def summary(self) -> str:
        """The verdict in words, made from the verdict, the deciding statistic and its threshold."""
        if self.verdict == "not_evaluated":
            return f"not evaluated: {self.effect}"
        if self.verdict == "not_enough_data":
            return f"too few rows for a verdict: {self.effect}"
        if not self.is_significant or self.value is None or self.threshold is None:
            return "no significant change"
        limit = f"limit {self.threshold:.3g}"
        if self.verdict == "stable":
            return f"significant but small: {self.effect} ({limit})"
        if self.verdict == "watch":
            is_over = self.value > self.threshold
            limit += (
                ", not over it in enough windows in a row"
                if is_over
                else f"; the verdict is watch from {WATCH_SHARE:.0%} of it"
            )
        return "; ".join([f"{self.effect} ({limit})", *self.changes])

    @property
    def priority(self) -> float:
        """The value in thresholds, times the share of importance where it is known."""
        if self.value is None or not self.threshold:
            return 0.0
        return self.value / self.threshold * (1.0 if self.importance is None else self.importance)

    @property
    def sort_key(self) -> tuple[int, bool, float, str]:
        """A key that sorts the most severe finding first, and features before predictions, which follow from them."""
        return _SORT_ORDER.index(self.verdict), self.kind == "prediction", -self.priority, self.column

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 6 significant digits."""
        fields = asdict(self)
        del fields["effect"], fields["changes"]
        return {**_to_json_value(fields), "summary": self.summary, "priority": _round_significant(self.priority)}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The findings of one window, the most severe first; `shortage` names the rows that are lacking, or is empty."""

    n_reference: int
    n_rows: int
    findings: tuple[DriftFinding, ...]
    multivariate: DomainAuc | None = None
    shortage: str = ""

    @property
    def verdict(self) -> DriftVerdict:
        """The most severe verdict; `not_evaluated` only when no column has another verdict."""
        verdicts = [finding.verdict for finding in self.findings]
        if self.multivariate is not None:
            verdicts.append(self.multivariate.verdict)
        return most_severe_verdict(verdicts)

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Names of the columns that drifted."""
        return tuple(finding.column for finding in self.findings if finding.verdict == "drift")

    @property
    def summary(self) -> str:
        """One sentence for people."""
        rows = f"{pluralize(self.n_rows, 'row')} against {self.n_reference:,}"
        columns = self._columns_by_verdict
        drifted = [finding for finding in self.findings if finding.verdict == "drift"]
        n_skipped = len(columns["not_evaluated"])
        skipped_note = f"; {pluralize(n_skipped, 'column')} not evaluated" if n_skipped else ""
        if drifted:
            shown = "; ".join(f"{finding.column}: {finding.summary}" for finding in drifted[:_MAX_SUMMARY_COLUMNS])
            n_hidden = len(drifted) - _MAX_SUMMARY_COLUMNS
            hidden_note = f"; and {n_hidden} more" if n_hidden > 0 else ""
            return f"{len(drifted)} of {len(self.findings)} drifted ({rows}). {shown}{hidden_note}{skipped_note}"
        if self.verdict == "drift" and self.multivariate is not None:
            joint = self.multivariate.summary
            return f"the joint distribution drifted, no single column did: {joint} ({rows}){skipped_note}"
        if self.verdict == "watch":
            names = columns["watch"] or ["the joint distribution"]
            return f"watch: {', '.join(names)} ({rows}){skipped_note}"
        if self.shortage:
            return f"not enough data: {self.shortage}{skipped_note}"
        words = {"not_enough_data": "not enough data", "not_evaluated": "not evaluated"}
        return f"{words.get(self.verdict, self.verdict)}: {rows}{skipped_note}"

    @property
    def _columns_by_verdict(self) -> dict[str, list[str]]:
        columns: dict[str, list[str]] = {verdict: [] for verdict in _SORT_ORDER}
        for finding in self.findings:
            columns[finding.verdict].append(finding.column)
        return columns

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "verdict": self.verdict,
            "summary": self.summary,
            "n_reference": self.n_reference,
            "n_rows": self.n_rows,
            "shortage": self.shortage,
            "drifted": list(self.drifted_columns),
            "multivariate": None if self.multivariate is None else self.multivariate.as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def _to_json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to_json_value(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_to_json_value(item) for item in value]
    return _round_significant(value) if isinstance(value, float) else value


def _round_significant(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
