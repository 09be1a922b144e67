"""The traffic of champion and challenger in each hour of a canary, of all servers together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.metrics.canary_guard import DURATION_BOUNDS_S, VariantCounts
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.state import VariantTraffic

__all__ = ["HourlyTraffic", "traffic_by_hour"]


@dataclass(frozen=True, slots=True)
class HourlyTraffic:
    """What one variant did in one hour.

    Attributes
    ----------
    hour_start : int
        In microseconds since 1970, UTC.
    variant : str
    counts : VariantCounts
        Of this hour alone.
    """

    hour_start: int
    variant: str
    counts: VariantCounts

    @property
    def error_rate(self) -> float | None:
        """The share of requests in which the variant failed; None without requests."""
        return self.counts.n_errors / self.counts.n_requests if self.counts.n_requests else None

    @property
    def p95_s(self) -> float | None:
        """The upper end of the bin with the 95th percentile of the durations; None without a scored batch."""
        n, passed = sum(self.counts.durations), 0
        for bound, n_in_bin in zip((*DURATION_BOUNDS_S, DURATION_BOUNDS_S[-1]), self.counts.durations, strict=True):
            passed += n_in_bin
            if n and passed >= 0.95 * n:
                return bound
        return None


def traffic_by_hour(rows: Iterable[VariantTraffic]) -> list[HourlyTraffic]:
    """Return the traffic of each variant in each hour that has some, by hour and variant.

    Parameters
    ----------
    rows : iterable of VariantTraffic
        Counts so far at the end of each hour, by server and variant, in the order of time.
    """
    pooled: dict[tuple[int, str], VariantCounts] = {}
    for (_, variant), series in groupby(rows, key=lambda row: (row.server, row.variant)):
        before = VariantCounts()
        for row in series:
            counts = VariantCounts(row.n_requests, row.n_errors, row.n_predictions, row.durations, row.duration_sum_s)
            key = row.updated_at // HOUR_US * HOUR_US, variant
            pooled[key] = pooled.get(key, VariantCounts()) + _minus(counts, before)
            before = counts
    return [HourlyTraffic(*key, pooled[key]) for key in sorted(pooled) if pooled[key].n_requests]


def _minus(counts: VariantCounts, before: VariantCounts) -> VariantCounts:
    """Return what was counted between two moments."""
    return VariantCounts(
        counts.n_requests - before.n_requests,
        counts.n_errors - before.n_errors,
        counts.n_predictions - before.n_predictions,
        tuple(later - earlier for later, earlier in zip(counts.durations, before.durations, strict=True)),
        counts.duration_sum_s - before.duration_sum_s,
    )
