"""Detect drift of a window: test each column against the reference, correct for all tests, report findings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UsageError
from pipeline.monitoring.drift.column_tests import column_pairs, column_tests, count_column_tests, find_rare_bin
from pipeline.monitoring.drift.drift_report import WATCH_SHARE, DriftFinding, DriftReport
from pipeline.monitoring.drift.drift_statistics import (
    chi_squared,
    cumulative_shares,
    holm_levels,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    rank_biserial,
    total_variation,
    wasserstein,
)
from pipeline.monitoring.drift.shift_description import describe_effect, describe_shift
from pipeline.monitoring.log.bin_counts import reference_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.column_tests import ColumnPair, ColumnTest
    from pipeline.monitoring.drift.verdict_severity import DriftVerdict
    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.package import Reference
    from pipeline.schema import Schema

__all__ = [
    "AdjustedTest",
    "DriftContext",
    "describe_shortage",
    "detect_drift",
    "override_numeric_threshold",
    "require_consecutive_windows",
]

_SEVERITY_ORDER: tuple[DriftVerdict, ...] = ("drift", "watch", "stable")


@dataclass(frozen=True, slots=True)
class DriftContext:
    """What a drift decision depends on besides the two sides.

    Parameters
    ----------
    config : DriftConfig
        Thresholds by statistic, level of the tests, consecutive windows.
    min_rows : int
        With fewer rows on either side the verdict is `not_enough_data`, and a finding has no number but its power.
    column_thresholds : mapping of column to threshold
        Overrides for single columns, in the unit of the column's first statistic; the other thresholds of the column
        change by the same factor. The share of missing values keeps its own.
    importance : mapping of column to number
        Permutation importance of features; findings are ordered by it. Empty when it is not known.
    """

    config: DriftConfig
    min_rows: int
    column_thresholds: Mapping[str, float] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_config(
        cls, config: Config, schema: Schema, *, importance: Mapping[str, float] | None = None
    ) -> DriftContext:
        """Return the context that the settings declare for the columns of a schema."""
        return cls(config.drift, config.monitoring.min_rows, schema.drift_limits, importance or {})


@dataclass(frozen=True, slots=True)
class AdjustedTest:
    """A test with its level after the correction for multiple tests."""

    test: ColumnTest
    alpha: float

    @property
    def verdict(self) -> DriftVerdict:
        """Drift when significant and above the threshold; watch when significant and above half of it."""
        if not self.is_significant:
            return "stable"
        if self.test.value > self.test.threshold:
            return "drift"
        return "watch" if self.test.value > WATCH_SHARE * self.test.threshold else "stable"

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is below the corrected level."""
        return self.test.p_value < self.alpha

    @property
    def severity_key(self) -> tuple[int, bool, float]:
        """A key by which tests of a column sort, the most severe first; equal for tests without significance."""
        size = self.test.value / self.test.threshold if self.is_significant else 0.0
        return _SEVERITY_ORDER.index(self.verdict), not self.is_significant, -size


def detect_drift(
    reference: Reference, window: BinCounts, context: DriftContext, *, baseline: BinCounts | None = None
) -> DriftReport:
    """Return the verdict on each column of a window.

    A column drifts when its statistic is above the threshold **and** its p-value is below the level that Holm's
    correction (1979) gives it among all tests of the window. The verdict is `watch` when it is significant and
    above half of the threshold.

    Parameters
    ----------
    reference : Reference
        The bins; its training rows are the baseline when `baseline` is None.
    window : BinCounts
    context : DriftContext
    baseline : BinCounts, optional
        An earlier window to compare with.
    """
    before = baseline if baseline is not None else reference_counts(reference)
    shortage = describe_shortage(window.n_rows, before.n_rows, min_rows=context.min_rows)
    pairs = list(column_pairs(reference, before, window))
    n_tests = sum(map(count_column_tests, pairs))
    level = context.config.alpha / max(n_tests, 1)
    tests = [
        test
        for pair in pairs
        for test in column_tests(pair, context.config, level, column_thresholds=context.column_thresholds)
    ]
    by_column: dict[tuple[str, str], list[AdjustedTest]] = {}
    for adjusted in _holm(tests, context.config.alpha):
        by_column.setdefault((adjusted.test.kind, adjusted.test.column), []).append(adjusted)
    shares = _importance_shares(context.importance)
    findings = [_build_finding(pair, by_column[pair.kind, pair.bins.name], shares, shortage) for pair in pairs]
    findings += [DriftFinding.not_evaluated(column, reason) for column, reason in window.problems.items()]
    return DriftReport(before.n_rows, window.n_rows, _sorted_findings(findings), shortage=shortage)


def describe_shortage(n_rows: int, n_reference: int, *, min_rows: int) -> str:
    """Return how many rows a comparison lacks; empty if both sides have at least `min_rows`.

    Examples
    --------
    >>> describe_shortage(1, 500, min_rows=100), describe_shortage(0, 500, min_rows=100)
    ('1 of 100 rows needed', 'no rows in this window, 100 needed')
    >>> describe_shortage(500, 0, min_rows=100)
    'no rows to compare with, 100 needed'
    """
    if n_rows < min_rows:
        return f"{n_rows:,} of {min_rows:,} rows needed" if n_rows else f"no rows in this window, {min_rows:,} needed"
    if n_reference < min_rows:
        few = f"{n_reference:,} of {min_rows:,} rows needed to compare with"
        return few if n_reference else f"no rows to compare with, {min_rows:,} needed"
    return ""


def override_numeric_threshold(config: DriftConfig, threshold: float | None) -> DriftConfig:
    """Return the settings with another threshold for numeric columns, and half of it for categorical ones.

    The thresholds of rare values and of ranks change by the same factor. None leaves the declared thresholds.

    Raises
    ------
    UsageError
        When the threshold is not above 0.
    """
    if threshold is None:
        return config
    if not threshold > 0:
        raise UsageError(f"drift_threshold: {threshold}; expected a number above 0")
    scale = threshold / config.numeric.wasserstein
    scaled = {name: scale * getattr(config.numeric, name) for name in ("rare_values", "rank_biserial")}
    numeric = config.numeric.model_copy(update={"wasserstein": threshold, **scaled})
    categorical = config.categorical.model_copy(update={"jensen_shannon": threshold / 2})
    return config.model_copy(update={"numeric": numeric, "categorical": categorical})


def require_consecutive_windows(
    report: DriftReport, earlier: Sequence[DriftReport], config: DriftConfig
) -> DriftReport:
    """Return the report with `watch` in place of drift that fewer than `config.consecutive_windows` windows show.

    Parameters
    ----------
    report : DriftReport
    earlier : sequence of DriftReport
        Reports of the windows before, made without this rule, the latest first.
    config : DriftConfig
    """
    n_earlier = config.consecutive_windows - 1
    drifted = [
        {(finding.kind, finding.column) for finding in past.findings if finding.verdict == "drift"}
        for past in earlier[:n_earlier]
    ]
    findings = []
    for finding in report.findings:
        is_confirmed = len(drifted) == n_earlier and all((finding.kind, finding.column) in past for past in drifted)
        is_unconfirmed = finding.verdict == "drift" and not is_confirmed
        findings.append(replace(finding, verdict="watch") if is_unconfirmed else finding)
    return replace(report, findings=_sorted_findings(findings))


def _sorted_findings(findings: Sequence[DriftFinding]) -> tuple[DriftFinding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.sort_key))


def _holm(tests: Sequence[ColumnTest], alpha: float) -> list[AdjustedTest]:
    """Return the tests with Holm's levels."""
    levels = holm_levels([test.p_value for test in tests], alpha)
    return [AdjustedTest(test, level) for test, level in zip(tests, levels, strict=True)]


def _build_finding(
    pair: ColumnPair, tests: Sequence[AdjustedTest], shares: Mapping[str, float], shortage: str
) -> DriftFinding:
    worst = min(tests, key=lambda test: test.severity_key)
    importance = shares.get(pair.bins.column) if pair.kind == "feature" else None
    if shortage:
        return DriftFinding(
            pair.bins.name,
            pair.kind,
            "not_enough_data",
            power=worst.test.power,
            importance=importance,
            effect=shortage,
        )
    is_described = worst.verdict in ("drift", "watch")
    shift = describe_shift(pair.bins, pair.reference, pair.current) if is_described else None
    effect = describe_effect(pair, worst.test)
    return DriftFinding(
        column=pair.bins.name,
        kind=pair.kind,
        verdict=worst.verdict,
        statistic=worst.test.statistic,
        value=worst.test.value,
        threshold=worst.test.threshold,
        p_value=worst.test.p_value,
        alpha=worst.alpha,
        power=worst.test.power,
        direction=None if shift is None else shift.direction,
        importance=importance,
        effect=effect,
        changes=() if shift is None else tuple(part for part in shift.changes if part != effect),
        statistics=_all_statistics(pair),
        shares=_bin_shares(pair),
    )


def _bin_shares(pair: ColumnPair) -> tuple[tuple[str, float, float], ...]:
    sides = [pair.bins.coarsen(counts) / max(float(counts.sum()), 1.0) for counts in (pair.reference, pair.current)]
    return tuple(zip(pair.bins.labels, sides[0].tolist(), sides[1].tolist(), strict=True))


def _all_statistics(pair: ColumnPair) -> dict[str, float]:
    """Return every statistic that is defined for the column; the verdict uses only some of them."""
    reference, current = pair.bins.coarsen(pair.reference), pair.bins.coarsen(pair.current)
    n_reference, n_current = max(float(reference.sum()), 1.0), max(float(current.sum()), 1.0)
    statistics = {
        "psi": psi(reference, current),
        "jensen_shannon": jensen_shannon(reference.astype(np.float64), current.astype(np.float64)),
        "chi_squared": chi_squared(reference, current),
        "total_variation": total_variation(reference, current),
        "missing_share_reference": float(reference[-1]) / n_reference,
        "missing_share_window": float(current[-1]) / n_current,
        "unseen_share": float(current[reference == 0].sum()) / n_current,
    }
    is_ordered = not pair.bins.is_words
    shares = cumulative_shares(pair.bins, pair.reference, pair.current) if is_ordered else None
    if shares is not None:
        statistics["kolmogorov_smirnov"] = kolmogorov_smirnov(shares)
        if pair.bins.deviation:
            statistics["wasserstein"] = wasserstein(shares) / pair.bins.deviation
        if pair.is_numeric:
            at, n_rare = find_rare_bin(pair)
            rare = [float(counts[at]) / max(float(counts.sum()), 1.0) for counts in (pair.reference, pair.current)]
            statistics["rare_values"] = max(rare[1] - rare[0], 0.0) if n_rare else 0.0
        if pair.is_heavy_tailed:
            statistics["rank_biserial"] = rank_biserial(pair.bins, pair.reference, pair.current).value
    return statistics


def _importance_shares(importance: Mapping[str, float]) -> dict[str, float]:
    positive = {name: max(value, 0.0) for name, value in importance.items()}
    total = sum(positive.values())
    return {name: value / total for name, value in positive.items()} if total > 0 else {}
