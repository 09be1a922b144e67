"""Judge a window against the reference, column by column: how far it moved, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.errors import UsageError
from pipeline.monitoring.drift import drift_statistics
from pipeline.monitoring.drift.drift_report import DriftFinding, DriftReport, DriftVerdict
from pipeline.monitoring.drift.shift_description import describe_shift
from pipeline.monitoring.log.bin_counts import OUTPUTS, BinCounts, reference_counts
from pipeline.monitoring.power import chi_squared_power, kolmogorov_smirnov_power

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.monitoring_config import DriftConfig
    from pipeline.package import Bins, Reference

    Ints = NDArray[np.int64]

__all__ = [
    "DEFAULT_DRIFT_THRESHOLD",
    "ColumnPair",
    "ColumnTest",
    "column_pairs",
    "column_tests",
    "detect_drift",
    "override_numeric_threshold",
    "require_consecutive_windows",
]

DEFAULT_DRIFT_THRESHOLD = 0.1

_WATCH_SHARE = 0.5  # share of the limit from which a change beyond chance is watched


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """One question about one column: its effect against its limit, and its chance under no drift."""

    column: str
    kind: Literal["feature", "prediction"]
    statistic: str
    value: float
    threshold: float
    p_value: float
    power: float
    alpha: float = 0.0

    @property
    def verdict(self) -> DriftVerdict:
        """What the test says at its level."""
        if self.p_value >= self.alpha:
            return "stable"
        if self.value > self.threshold:
            return "drift"
        return "watch" if self.value > _WATCH_SHARE * self.threshold else "stable"


@dataclass(frozen=True, slots=True)
class ColumnPair:
    """A column on both sides, in its finest bins."""

    bins: Bins
    kind: Literal["feature", "prediction"]
    reference: Ints
    current: Ints


def detect_drift(
    reference: Reference,
    window: BinCounts,
    config: DriftConfig,
    *,
    min_rows: int,
    baseline: BinCounts | None = None,
    column_thresholds: Mapping[str, float] | None = None,
    importance: Mapping[str, float] | None = None,
) -> DriftReport:
    """Return the verdict on each column of a window.

    A column drifts when its effect is above the limit **and** its p-value is below the level that Holm's
    correction (1979) gives it among all tests of the window; significant and above half of the limit, it is
    watched.

    Parameters
    ----------
    reference : Reference
        The bins; its training rows are the baseline unless another is given.
    window : Counts
    config : DriftConfig
    min_rows : int
        With fewer rows on either side nothing is judged.
    baseline : Counts, optional
        An earlier window to compare with.
    limits : mapping of column to limit, optional
        Limits of single columns, in the unit of the column's test; missing values keep theirs.
    importance : mapping of column to number, optional
        How much the model cares, by permutation; findings are ordered by it.
    """
    before = baseline if baseline is not None else reference_counts(reference)
    pairs = list(column_pairs(reference, before, window))
    m = sum(2 if _is_numeric(pair) else 1 for pair in pairs)
    tests = [
        one for pair in pairs for one in column_tests(pair, config, config.alpha / max(m, 1), column_thresholds or {})
    ]
    shares = _importance_shares(importance or {})
    is_enough = min(window.n_rows, before.n_rows) >= min_rows
    by_column: dict[tuple[str, str], list[ColumnTest]] = {}
    for test in _apply_holm_correction(tests, config.alpha):
        by_column.setdefault((test.kind, test.column), []).append(test)
    found = [_build_finding(pair, by_column[pair.kind, pair.bins.name], shares, is_enough=is_enough) for pair in pairs]
    found += [DriftFinding.not_evaluated(name, why) for name, why in window.problems.items()]
    return DriftReport(before.n_rows, window.n_rows, tuple(sorted(found, key=lambda one: one.sort_key)))


def override_numeric_threshold(config: DriftConfig, threshold: float) -> DriftConfig:
    """Return the limits with another one for numbers, and half of it for words; `DEFAULT_LIMIT` leaves both as declared.

    Raises
    ------
    UsageError
        When the threshold is not above 0.
    """
    if threshold == DEFAULT_DRIFT_THRESHOLD:
        return config
    if not threshold > 0:
        raise UsageError(f"drift_threshold: {threshold}; accepted: above 0")
    numeric = config.numeric.model_copy(update={"wasserstein": threshold})
    categorical = config.categorical.model_copy(update={"jensen_shannon": threshold / 2})
    return config.model_copy(update={"numeric": numeric, "categorical": categorical})


def require_consecutive_windows(
    report: DriftReport, earlier: Sequence[DriftReport], config: DriftConfig
) -> DriftReport:
    """Return the report with drift that `config.consecutive_windows` windows in a row do not show yet as watched.

    Parameters
    ----------
    report : DriftReport
    earlier : sequence of DriftReport
        Those of the windows before, as judged without this rule, the latest first.
    config : DriftConfig
    """
    needed = config.consecutive_windows - 1
    seen = [{(one.kind, one.column) for one in past.findings if one.verdict == "drift"} for past in earlier[:needed]]
    found = []
    for one in report.findings:
        is_held = len(seen) == needed and all((one.kind, one.column) in past for past in seen)
        found.append(one if one.verdict != "drift" or is_held else replace(one, verdict="watch"))
    return replace(report, findings=tuple(sorted(found, key=lambda one: one.sort_key)))


def column_pairs(reference: Reference, baseline: BinCounts, window: BinCounts) -> Iterator[ColumnPair]:
    """Yield every column and prediction that both sides have counted."""
    for bins in reference.columns:
        if bins.name in window.features and bins.name in baseline.features:
            yield ColumnPair(bins, "feature", baseline.features[bins.name], window.features[bins.name])
    said = zip(OUTPUTS, (reference.score, reference.confidence, reference.classes), strict=True)
    for name, bins in said:
        if name in window.outputs and name in baseline.outputs:
            yield ColumnPair(bins, "prediction", baseline.outputs[name], window.outputs[name])


def _is_numeric(pair: ColumnPair) -> bool:
    """Whether distances on the number line can be taken; a column without spread is judged by its shares."""
    return pair.bins.kind != "words" and bool(pair.bins.deviation)


def column_tests(
    pair: ColumnPair, config: DriftConfig, alpha: float, column_thresholds: Mapping[str, float]
) -> Iterator[ColumnTest]:
    """Yield the questions about one column; `alpha` is the level at which their power is told."""
    own = column_thresholds.get(pair.bins.name) if pair.kind == "feature" else None
    if not _is_numeric(pair):
        yield _categorical_test(pair, own if own is not None else config.categorical.jensen_shannon, alpha)
        return
    limit = own if own is not None else config.numeric.wasserstein
    yield _numeric_test(pair, limit, alpha)
    yield _missing_test(pair, config.numeric.missing, alpha)


def _numeric_test(pair: ColumnPair, limit: float, alpha: float) -> ColumnTest:
    name, deviation = pair.bins.name, pair.bins.deviation or 1.0
    both = drift_statistics.cumulative_shares(pair.bins, pair.reference, pair.current)
    if both is None:  # a side has no values at all, which the test of missing values sees
        return ColumnTest(name, pair.kind, "wasserstein", 0.0, limit, 1.0, 0.0)
    p_value = drift_statistics.kolmogorov_smirnov_p_value(
        drift_statistics.kolmogorov_smirnov(both), both.n_reference, both.n_current
    )
    power = kolmogorov_smirnov_power(limit, both.n_reference, both.n_current, alpha=alpha)
    return ColumnTest(
        name, pair.kind, "wasserstein", drift_statistics.wasserstein(both) / deviation, limit, p_value, power
    )


def _missing_test(pair: ColumnPair, limit: float, alpha: float) -> ColumnTest:
    (hits, n), (other, other_n) = ((float(one[-1]), float(one.sum())) for one in (pair.reference, pair.current))
    change = abs(hits / max(n, 1) - other / max(other_n, 1))
    spread = np.sqrt(max(hits / max(n, 1) * (1 - hits / max(n, 1)), limit) * (1 / max(n, 1) + 1 / max(other_n, 1)))
    power = _normal_power(limit / spread, alpha)
    p_value = drift_statistics.two_proportions_p_value(hits, n, other, other_n)
    return ColumnTest(pair.bins.name, pair.kind, "missing", change, limit, p_value, power)


def _normal_power(effect: float, alpha: float) -> float:
    from scipy.special import ndtr, ndtri

    return float(ndtr(effect - float(ndtri(1 - alpha / 2))))


def _categorical_test(pair: ColumnPair, limit: float, alpha: float) -> ColumnTest:
    reference, current = pair.bins.coarsen(pair.reference), pair.bins.coarsen(pair.current)
    distance = drift_statistics.jensen_shannon(reference.astype(np.float64), current.astype(np.float64))
    p_value = drift_statistics.homogeneity_p_value(reference, current)
    n, m = float(reference.sum()), float(current.sum())
    power = chi_squared_power(limit, reference / max(n, 1), n, m, alpha=alpha)
    return ColumnTest(pair.bins.name, pair.kind, "jensen_shannon", distance, limit, p_value, power)


def _apply_holm_correction(tests: Sequence[ColumnTest], alpha: float) -> list[ColumnTest]:
    """Return the tests with Holm's levels: the k-th smallest p-value of m is held to alpha / (m - k + 1), until one fails."""
    order = sorted(range(len(tests)), key=lambda i: tests[i].p_value)
    levels, has_failed = [0.0] * len(tests), False
    for rank, i in enumerate(order):
        level = alpha / (len(tests) - rank)
        has_failed = has_failed or tests[i].p_value >= level
        # After the first failure all others fail: each is shown the level at which it stopped.
        levels[i] = min(level, tests[i].p_value) if has_failed else level
    return [replace(test, alpha=level) for test, level in zip(tests, levels, strict=True)]


_SEVERITY_ORDER: tuple[DriftVerdict, ...] = ("drift", "watch", "stable")


def _build_finding(
    pair: ColumnPair, tests: Sequence[ColumnTest], shares: Mapping[str, float], *, is_enough: bool
) -> DriftFinding:
    worst = min(tests, key=lambda one: (_SEVERITY_ORDER.index(one.verdict), -one.value / one.threshold))
    moved = describe_shift(pair.bins, pair.reference, pair.current, missing_first=worst.statistic == "missing")
    return DriftFinding(
        column=pair.bins.name,
        kind=pair.kind,
        verdict=worst.verdict if is_enough else "not_enough_data",
        statistic=worst.statistic,
        value=worst.value,
        threshold=worst.threshold,
        p_value=worst.p_value,
        alpha=worst.alpha,
        power=min(one.power for one in tests),
        direction=moved.direction,
        importance=shares.get(pair.bins.name) if pair.kind == "feature" else None,
        summary=moved.summary,
        statistics=_all_statistics(pair),
        shares=_bin_shares(pair),
    )


def _bin_shares(pair: ColumnPair) -> tuple[tuple[str, float, float], ...]:
    sides = [pair.bins.coarsen(one) / max(float(one.sum()), 1.0) for one in (pair.reference, pair.current)]
    return tuple(zip(pair.bins.labels, sides[0].tolist(), sides[1].tolist(), strict=True))


def _all_statistics(pair: ColumnPair) -> dict[str, float]:
    """Return every statistic that is defined for the column, for people who know them; only some decide."""
    reference, current = pair.bins.coarsen(pair.reference), pair.bins.coarsen(pair.current)
    figures = {
        "psi": drift_statistics.psi(reference, current),
        "jensen_shannon": drift_statistics.jensen_shannon(reference.astype(np.float64), current.astype(np.float64)),
        "chi_squared": drift_statistics.chi_squared(reference, current),
        "total_variation": drift_statistics.total_variation(reference, current),
        "missing_before": float(reference[-1]) / max(float(reference.sum()), 1.0),
        "missing_now": float(current[-1]) / max(float(current.sum()), 1.0),
        "new": float(current[reference == 0].sum()) / max(float(current.sum()), 1.0),
    }
    both = (
        drift_statistics.cumulative_shares(pair.bins, pair.reference, pair.current)
        if pair.bins.kind != "words"
        else None
    )
    if both is not None:
        figures["kolmogorov_smirnov"] = drift_statistics.kolmogorov_smirnov(both)
        if pair.bins.deviation:
            figures["wasserstein"] = drift_statistics.wasserstein(both) / pair.bins.deviation
    return figures


def _importance_shares(importance: Mapping[str, float]) -> dict[str, float]:
    positive = {name: max(value, 0.0) for name, value in importance.items()}
    total = sum(positive.values())
    return {name: value / total for name, value in positive.items()} if total > 0 else {}
