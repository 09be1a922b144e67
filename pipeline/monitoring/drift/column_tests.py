"""Test one column for drift: each test has an effect size, a threshold and a p-value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.monitoring.drift.drift_statistics import (
    chi_squared_power,
    cumulative_shares,
    homogeneity_p_value,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p_value,
    kolmogorov_smirnov_power,
    normal_power,
    rank_biserial,
    two_proportions_p_value,
    wasserstein,
)
from pipeline.monitoring.log.bin_counts import PREDICTION_OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.package import Bins, Reference

    Ints = NDArray[np.int64]

__all__ = ["ColumnPair", "ColumnTest", "column_pairs", "column_tests", "count_column_tests", "find_rare_bin"]

_HEAVY_TAIL_RATIO = 2.5  # standard deviation, in robust ones, from which it hardly depends on most rows
_MAX_RARE_SHARE = 0.01  # largest share in the baseline of a bin of rare values
_RANK_DEVIATION = 0.5774  # standard deviation of the rank-biserial correlation, times the root of the rows


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
class ColumnPair:
    """Counts of a column in the reference and in the window, in its finest bins."""

    bins: Bins
    kind: Literal["feature", "prediction"]
    reference: Ints
    current: Ints

    @property
    def is_numeric(self) -> bool:
        """Whether distances on the number line are defined; a column without spread is compared by shares."""
        return not self.bins.is_words and bool(self.bins.deviation)

    @property
    def is_heavy_tailed(self) -> bool:
        """Whether the deviation hides changes of most rows, so that ranks are tested as well."""
        spread = self.bins.robust_deviation if self.is_numeric and self.kind == "feature" else None
        return spread is not None and (self.bins.deviation or 0.0) > _HEAVY_TAIL_RATIO * spread


def column_pairs(reference: Reference, baseline: BinCounts, window: BinCounts) -> Iterator[ColumnPair]:
    """Yield every feature and prediction that both sides have counted."""
    for bins in reference.monitored:
        if bins.name in window.features and bins.name in baseline.features:
            yield ColumnPair(bins, "feature", baseline.features[bins.name], window.features[bins.name])
    outputs = zip(PREDICTION_OUTPUTS, (reference.score, reference.confidence, reference.classes), strict=True)
    for name, bins in outputs:
        if name in window.outputs and name in baseline.outputs:
            yield ColumnPair(bins, "prediction", baseline.outputs[name], window.outputs[name])


def count_column_tests(pair: ColumnPair) -> int:
    """Return how many tests `column_tests` yields; it depends on the training rows alone."""
    if pair.bins.is_date:
        return 2
    if not pair.is_numeric:
        return 1
    return 2 if pair.kind == "prediction" else 5 if pair.is_heavy_tailed else 4


def column_tests(
    pair: ColumnPair, config: DriftConfig, alpha: float, *, column_thresholds: Mapping[str, float]
) -> Iterator[ColumnTest]:
    """Yield the tests of one column; `alpha` is the level at which their power is calculated.

    The threshold of a column is that of its first test. It scales the others, except that of missing values.
    """
    override = column_thresholds.get(pair.bins.column) if pair.kind == "feature" else None
    numeric, distance = config.numeric, config.categorical.jensen_shannon
    if pair.bins.is_date:
        # Later rows have later dates. Only dates that are missing, or earlier than those of training, are a change.
        scale = 1.0 if override is None else override / numeric.wasserstein
        yield _missing_test(pair, numeric.missing, alpha)
        yield _rare_values_test(pair, scale * numeric.rare_values, alpha)
        return
    if not pair.is_numeric:
        yield _shares_test(pair, distance if override is None else override, alpha)
        return
    scale = 1.0 if override is None else override / numeric.wasserstein
    yield _wasserstein_test(pair, scale * numeric.wasserstein, alpha)
    yield _missing_test(pair, numeric.missing, alpha)
    if pair.kind == "prediction":
        # Reference scores are out of fold, so their fine shape is not that of the final model.
        return
    yield _shares_test(pair, scale * distance, alpha)
    yield _rare_values_test(pair, scale * numeric.rare_values, alpha)
    if pair.is_heavy_tailed:
        yield _rank_test(pair, scale * numeric.rank_biserial, alpha)


def find_rare_bin(pair: ColumnPair) -> tuple[int, int]:
    """Return the bin of rare values whose share rose most, and the number of bins of rare values.

    A bin is rare when it holds less than a hundredth of the reference. Missing values are not among them. Of dates only
    those before the training rows are: a later row may have any other date. The position is -1 when no bin is rare.
    """
    before, after = (counts[:-1] / max(float(counts.sum()), 1.0) for counts in (pair.reference, pair.current))
    is_rare = before < _MAX_RARE_SHARE
    if pair.bins.is_date:
        is_rare = np.arange(len(before)) == len(before) - 2
    rise = np.where(is_rare, after - before, -1.0)
    n_rare = int(is_rare.sum())
    return (int(rise.argmax()) if n_rare else -1), n_rare


def _wasserstein_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
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


def _shares_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
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


def _rare_values_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
    """Test whether one value, or values outside of training, became frequent; corrected for the number of bins."""
    at, n_rare = find_rare_bin(pair)
    n, other_n = float(pair.reference.sum()), float(pair.current.sum())
    value, p_value = 0.0, 1.0
    if n_rare and min(n, other_n) > 0:
        hits, other_hits = float(pair.reference[at]), float(pair.current[at])
        value = max(other_hits / other_n - hits / n, 0.0)
        if pair.bins.kind == "values" and at == len(pair.bins.points) + 2:
            # Each value of a single training row would be unseen without that row (Good 1953).
            hits = max(hits, float((pair.reference[: len(pair.bins.points)] == 1).sum()))
        p_value = min(1.0, n_rare * two_proportions_p_value(hits, n, other_hits, other_n)) if value > 0 else 1.0
    variance = max(threshold, 0.001) * (1 / max(n, 1) + 1 / max(other_n, 1))
    return ColumnTest(
        pair.bins.name,
        pair.kind,
        "rare_values",
        value=value,
        threshold=threshold,
        p_value=p_value,
        power=normal_power(threshold / np.sqrt(variance), alpha=alpha / max(n_rare, 1)),
    )


def _rank_test(pair: ColumnPair, threshold: float, alpha: float) -> ColumnTest:
    ranks = rank_biserial(pair.bins, pair.reference, pair.current)
    deviation = _RANK_DEVIATION * np.sqrt(1 / max(ranks.n_reference, 1) + 1 / max(ranks.n_current, 1))
    return ColumnTest(
        pair.bins.name,
        pair.kind,
        "rank_biserial",
        value=abs(ranks.value),
        threshold=threshold,
        p_value=ranks.p_value,
        power=normal_power(threshold / deviation, alpha=alpha),
    )
