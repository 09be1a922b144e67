"""Detect drift of a window: test each column against the reference, correct for all tests, report findings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.errors import UsageError
from pipeline.monitoring.drift.drift_report import DriftFinding, DriftReport
from pipeline.monitoring.drift.drift_statistics import (
    chi_squared,
    chi_squared_power,
    cumulative_shares,
    homogeneity_p_value,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p_value,
    kolmogorov_smirnov_power,
    normal_power,
    psi,
    total_variation,
    two_proportions_p_value,
    wasserstein,
)
from pipeline.monitoring.drift.shift_description import describe_shift
from pipeline.monitoring.log.bin_counts import PREDICTION_OUTPUTS, BinCounts, reference_counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.verdict_severity import DriftVerdict
    from pipeline.package import Bins, Reference
    from pipeline.schema import Schema

    Ints = NDArray[np.int64]

__all__ = [
    "AdjustedTest",
    "ColumnPair",
    "ColumnTest",
    "DriftContext",
    "column_pairs",
    "column_tests",
    "detect_drift",
    "override_numeric_threshold",
    "require_consecutive_windows",
]

_WATCH_SHARE = 0.5  # share of the threshold from which a significant change gives the verdict "watch"
_SEVERITY_ORDER: tuple[DriftVerdict, ...] = ("drift", "watch", "stable")


@dataclass(frozen=True, slots=True)
class DriftContext:
    """What a drift decision depends on besides the two sides.

    Parameters
    ----------
    config : DriftConfig
        Thresholds by statistic, level of the tests, consecutive windows.
    min_rows : int
        With fewer rows on either side the verdict is `not_enough_data`.
    column_thresholds : mapping of column to threshold
        Overrides for single columns, in the unit of the column's statistic; the share of missing values keeps its own.
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
class ColumnTest:
    """One test of one column: its statistic, the threshold, the p-value under no drift, and its power."""

    column: str
    kind: Literal["feature", "prediction"]
    statistic: str
    value: float
    threshold: float
    p_value: float
    power: float


@dataclass(frozen=True, slots=True)
class AdjustedTest:
    """A test with its level after the correction for multiple tests."""

    test: ColumnTest
    alpha: float

    @property
    def verdict(self) -> DriftVerdict:
        """Drift when significant and above the threshold; watch when significant and above half of it."""
        if self.test.p_value >= self.alpha:
            return "stable"
        if self.test.value > self.test.threshold:
            return "drift"
        return "watch" if self.test.value > _WATCH_SHARE * self.test.threshold else "stable"

    @property
    def severity_key(self) -> tuple[int, float]:
        """A key by which tests of a column sort, the most severe first."""
        return _SEVERITY_ORDER.index(self.verdict), -self.test.value / self.test.threshold


@dataclass(frozen=True, slots=True)
class ColumnPair:
    """Counts of a column in the reference and in the window, in its finest bins."""

    bins: Bins
    kind: Literal["feature", "prediction"]
    reference: Ints
    current: Ints

    @property
    def is_numeric(self) -> bool:
        """Whether distances on the number line are defined; a column without spread is compared by shares."""
        return self.bins.kind != "words" and bool(self.bins.deviation)


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
    pairs = list(column_pairs(reference, before, window))
    n_tests = sum(2 if pair.is_numeric else 1 for pair in pairs)
    level = context.config.alpha / max(n_tests, 1)
    tests = [
        test
        for pair in pairs
        for test in column_tests(pair, context.config, level, column_thresholds=context.column_thresholds)
    ]
    shares = _importance_shares(context.importance)
    is_enough = min(window.n_rows, before.n_rows) >= context.min_rows
    by_column: dict[tuple[str, str], list[AdjustedTest]] = {}
    for adjusted in _holm(tests, context.config.alpha):
        by_column.setdefault((adjusted.test.kind, adjusted.test.column), []).append(adjusted)
    findings = [
        _build_finding(pair, by_column[pair.kind, pair.bins.name], shares, is_enough=is_enough) for pair in pairs
    ]
    findings += [DriftFinding.not_evaluated(column, reason) for column, reason in window.problems.items()]
    return DriftReport(before.n_rows, window.n_rows, _sorted_findings(findings))


def override_numeric_threshold(config: DriftConfig, threshold: float | None) -> DriftConfig:
    """Return the settings with another threshold for numeric columns, and half of it for categorical ones.

    None leaves the declared thresholds.

    Raises
    ------
    UsageError
        When the threshold is not above 0.
    """
    if threshold is None:
        return config
    if not threshold > 0:
        raise UsageError(f"drift_threshold: {threshold}; expected a number above 0")
    numeric = config.numeric.model_copy(update={"wasserstein": threshold})
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


def column_pairs(reference: Reference, baseline: BinCounts, window: BinCounts) -> Iterator[ColumnPair]:
    """Yield every feature and prediction that both sides have counted."""
    for bins in reference.columns:
        if bins.name in window.features and bins.name in baseline.features:
            yield ColumnPair(bins, "feature", baseline.features[bins.name], window.features[bins.name])
    outputs = zip(PREDICTION_OUTPUTS, (reference.score, reference.confidence, reference.classes), strict=True)
    for name, bins in outputs:
        if name in window.outputs and name in baseline.outputs:
            yield ColumnPair(bins, "prediction", baseline.outputs[name], window.outputs[name])


def column_tests(
    pair: ColumnPair, config: DriftConfig, alpha: float, *, column_thresholds: Mapping[str, float]
) -> Iterator[ColumnTest]:
    """Yield the tests of one column; `alpha` is the level at which their power is calculated."""
    override = column_thresholds.get(pair.bins.name) if pair.kind == "feature" else None
    if not pair.is_numeric:
        yield _categorical_test(pair, override if override is not None else config.categorical.jensen_shannon, alpha)
        return
    yield _numeric_test(pair, override if override is not None else config.numeric.wasserstein, alpha)
    yield _missing_test(pair, config.numeric.missing, alpha)


def _numeric_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
    name, deviation = pair.bins.name, pair.bins.deviation or 1.0
    shares = cumulative_shares(pair.bins, pair.reference, pair.current)
    if shares is None:  # a side has no values at all, which the test of missing values sees
        return ColumnTest(name, pair.kind, "wasserstein", value=0.0, threshold=threshold, p_value=1.0, power=0.0)
    n_reference, n_current = shares.n_reference, shares.n_current
    return ColumnTest(
        name,
        pair.kind,
        "wasserstein",
        value=wasserstein(shares) / deviation,
        threshold=threshold,
        p_value=kolmogorov_smirnov_p_value(kolmogorov_smirnov(shares), n_reference, n_current),
        power=kolmogorov_smirnov_power(threshold, n_reference, n_current, alpha=alpha),
    )


def _missing_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
    (n_missing, n), (other_missing, other_n) = (
        (float(counts[-1]), float(counts.sum())) for counts in (pair.reference, pair.current)
    )
    share = n_missing / max(n, 1)
    variance = max(share * (1 - share), threshold) * (1 / max(n, 1) + 1 / max(other_n, 1))
    return ColumnTest(
        pair.bins.name,
        pair.kind,
        "missing",
        value=abs(share - other_missing / max(other_n, 1)),
        threshold=threshold,
        p_value=two_proportions_p_value(n_missing, n, other_missing, other_n),
        power=normal_power(threshold / np.sqrt(variance), alpha=alpha),
    )


def _categorical_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
    reference, current = pair.bins.coarsen(pair.reference), pair.bins.coarsen(pair.current)
    n_reference, n_current = float(reference.sum()), float(current.sum())
    shares = reference / max(n_reference, 1)
    return ColumnTest(
        pair.bins.name,
        pair.kind,
        "jensen_shannon",
        value=jensen_shannon(reference.astype(np.float64), current.astype(np.float64)),
        threshold=threshold,
        p_value=homogeneity_p_value(reference, current),
        power=chi_squared_power(threshold, shares, n_reference, n_current, alpha=alpha),
    )


def _holm(tests: Sequence[ColumnTest], alpha: float) -> list[AdjustedTest]:
    """Return the tests with Holm's levels.

    The k-th smallest p-value of m is compared with alpha / (m - k + 1), until one is not below its level.
    """
    order = sorted(range(len(tests)), key=lambda i: tests[i].p_value)
    levels, has_failed = [0.0] * len(tests), False
    for rank, i in enumerate(order):
        level = alpha / (len(tests) - rank)
        has_failed = has_failed or tests[i].p_value >= level
        # After the first failure all others fail: each shows the level at which it stopped.
        levels[i] = min(level, tests[i].p_value) if has_failed else level
    return [AdjustedTest(test, level) for test, level in zip(tests, levels, strict=True)]


def _build_finding(
    pair: ColumnPair, tests: Sequence[AdjustedTest], shares: Mapping[str, float], *, is_enough: bool
) -> DriftFinding:
    worst = min(tests, key=lambda test: test.severity_key)
    shift = describe_shift(pair.bins, pair.reference, pair.current, is_missing_first=worst.test.statistic == "missing")
    return DriftFinding(
        column=pair.bins.name,
        kind=pair.kind,
        verdict=worst.verdict if is_enough else "not_enough_data",
        statistic=worst.test.statistic,
        value=worst.test.value,
        threshold=worst.test.threshold,
        p_value=worst.test.p_value,
        alpha=worst.alpha,
        power=min(adjusted.test.power for adjusted in tests),
        direction=shift.direction,
        importance=shares.get(pair.bins.name) if pair.kind == "feature" else None,
        summary=shift.summary,
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
    is_ordered = pair.bins.kind != "words"
    shares = cumulative_shares(pair.bins, pair.reference, pair.current) if is_ordered else None
    if shares is not None:
        statistics["kolmogorov_smirnov"] = kolmogorov_smirnov(shares)
        if pair.bins.deviation:
            statistics["wasserstein"] = wasserstein(shares) / pair.bins.deviation
    return statistics


def _importance_shares(importance: Mapping[str, float]) -> dict[str, float]:
    positive = {name: max(value, 0.0) for name, value in importance.items()}
    total = sum(positive.values())
    return {name: value / total for name, value in positive.items()} if total > 0 else {}
