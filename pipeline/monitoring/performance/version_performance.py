"""Read from the roll-ups how versions performed on their own predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.monitoring.log import PredictionLog, WindowTallies, traffic_summary, window_by_time
from pipeline.monitoring.log.rollup_layout import RollupLayout
from pipeline.monitoring.performance.performance_report import EffectiveTallies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.monitoring.performance.estimation import IntervalOptions, Performance
    from pipeline.package import Package

__all__ = ["VersionPerformance", "read_version_performance"]


@dataclass(frozen=True, slots=True)
class VersionPerformance:
    """What one version did in a window.

    Attributes
    ----------
    n_predictions : int
    realized : Performance
        Of its predictions with an outcome.
    latency_ms : mapping of str to float
        Percentiles of the latency, such as `95`; empty without a prediction.
    """

    n_predictions: int
    realized: Performance
    latency_ms: Mapping[str, float]


def read_version_performance(
    log: PredictionLog, packages: Sequence[Package], *, since: int, until: int, intervals: IntervalOptions
) -> tuple[VersionPerformance, ...]:
    """Return the performance of each package on its own predictions in [since, until), microseconds since 1970.

    It reads roll-ups alone, so a long log costs as much as a short one. The packages predicted different rows: their
    difference is no comparison on the same rows.
    """
    log.roll_up()
    tallies = WindowTallies(log, window_by_time(log, since=since, until=until))
    samples = EffectiveTallies(tallies)
    performances = []
    for package in packages:
        traffic = traffic_summary(tallies, digest=package.digest)
        realized = samples.realized(RollupLayout(package), intervals)
        performances.append(VersionPerformance(traffic["total_predictions"], realized, traffic["latency_ms"]))
    return tuple(performances)
