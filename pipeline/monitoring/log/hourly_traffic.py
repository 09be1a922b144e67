"""Summarize the traffic of a window, and count predictions and errors by hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.monitoring.log.rollup_layout import OUTCOMES, PREDICTIONS, UNCOUNTED, RollupLayout, latency_quantile
from pipeline.monitoring.log.sampling_weights import weighted_total
from pipeline.state import HOUR_US, RollupCounts
from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.monitoring.log.log_window import PredictionLog, WindowTallies
    from pipeline.state import RollupKey

    WeightedTally = tuple[float, RollupCounts]

__all__ = [
    "HourlyOutcomes",
    "HourlyPredictions",
    "latency_percentile",
    "outcomes_by_hour",
    "predictions_by_hour",
    "traffic_summary",
]

_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class HourlyPredictions:
    """The predictions of the hour that begins at `hour`, in microseconds since 1970.

    With a sampled log they are estimates for all predictions, and no whole numbers. `by_class` and
    `latency_counts`, the number by bin of latency, leave out predictions of packages that cannot be loaded;
    `mean_confidence` and `by_package`, the number by digest, cover all.
    """

    hour: int
    n_predictions: float
    by_class: Mapping[str, float]
    mean_confidence: float
    by_package: Mapping[str, float]
    latency_counts: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HourlyOutcomes:
    """How many predictions of the hour that begins at `hour` have an outcome, and how many of them were wrong.

    With a sampled log they are estimates, and no whole numbers.
    """

    hour: int
    n_outcomes: float
    n_errors: float


def predictions_by_hour(
    log: PredictionLog, *, since: int, until: int, digest: str | None = None
) -> tuple[HourlyPredictions, ...]:
    """Return the predictions of each hour (UTC) that overlaps [since, until) and has any.

    They come from the roll-ups alone, whatever the number of rows.

    Parameters
    ----------
    log : PredictionLog
        With roll-ups up to date.
    since, until : int
        In microseconds since 1970.
    digest : str, optional
        Limits the result to one package; all packages when None.
    """
    hours: dict[int, dict[str, list[WeightedTally]]] = {}
    with log.state.reading() as connection:
        for section in (PREDICTIONS, UNCOUNTED):
            for key, tally in _read_hourly_rollups(connection, log, section, (since, until), digest):
                hours.setdefault(key.hour_start, {}).setdefault(key.digest, []).append((key.weight, tally))
    return tuple(_hourly_predictions(log, hour, hours[hour]) for hour in sorted(hours))


def outcomes_by_hour(
    log: PredictionLog, *, since: int, until: int, digest: str | None = None
) -> tuple[HourlyOutcomes, ...]:
    """Return how many predictions of each hour (UTC) were wrong; parameters as for `predictions_by_hour`."""
    hours: dict[int, list[float]] = {}
    with log.state.reading() as connection:
        for key, tally in _read_hourly_rollups(connection, log, OUTCOMES, (since, until), digest):
            layout = log.layout(key.digest)
            if layout is None or not len(tally.counts):
                continue
            k = len(layout.package.classes)
            table = layout.split_section(OUTCOMES, tally.counts)["@all"].reshape(-1, k, k).sum(axis=0)
            n, n_correct = float(table.sum()), float(np.trace(table))
            sums = hours.setdefault(key.hour_start, [0.0, 0.0])
            sums[0] += key.weight * n
            sums[1] += key.weight * (n - n_correct)
    return tuple(HourlyOutcomes(hour, *hours[hour]) for hour in sorted(hours) if hours[hour][0])


def _read_hourly_rollups(
    connection: Any, log: PredictionLog, section: str, bounds: tuple[int, int], digest: str | None
) -> list[tuple[RollupKey, RollupCounts]]:
    since, until = bounds
    first = since - since % HOUR_US
    return store.read_rollups(
        connection,
        log.model,
        section,
        since=first,
        until=until,
        granularity="hour",
        digest=digest,
        sources=log.sources,
    )


def _hourly_predictions(
    log: PredictionLog, hour: int, by_digest: Mapping[str, list[WeightedTally]]
) -> HourlyPredictions:
    by_class: dict[str, float] = {}
    by_package: dict[str, float] = {}
    confidence_sum = 0.0
    for digest, tallies in by_digest.items():
        for name, n_class in _class_counts(log.layout(digest), tallies):
            by_class[name] = by_class.get(name, 0.0) + n_class
        for weight, tally in tallies:
            by_package[digest] = by_package.get(digest, 0.0) + weight * tally.n_rows
            confidence_sum += weight * tally.confidence_sum
    n = sum(by_package.values())
    latencies = _latency_counts(log, by_digest)
    mean = confidence_sum / n if n else 0.0
    return HourlyPredictions(hour, n, dict(sorted(by_class.items())), mean, by_package, latencies)


def _latency_counts(log: PredictionLog, by_digest: Mapping[str, list[WeightedTally]]) -> dict[int, float]:
    """Return the number of predictions by bin of latency, without empty bins."""
    counts: dict[int, float] = {}
    for digest, tallies in by_digest.items():
        layout = log.layout(digest)
        counted = [(weight, tally) for weight, tally in tallies if len(tally.counts)]
        if layout is None or not counted:
            continue
        total = weighted_total(counted, layout.empty_tally(PREDICTIONS))
        vector = layout.split_section(PREDICTIONS, total.counts)["latency"]
        for position in np.flatnonzero(vector).tolist():
            counts[position] = counts.get(position, 0.0) + float(vector[position])
    return counts


def latency_percentile(hours: Iterable[HourlyPredictions], share: float) -> float | None:
    """Return the latency in milliseconds below which a share of the predictions of some hours is; None without any."""
    total: dict[int, float] = {}
    for hour in hours:
        for position, n in hour.latency_counts.items():
            total[position] = total.get(position, 0.0) + n
    vector = np.zeros(max(total, default=0) + 1)
    for position, n in total.items():
        vector[position] = n
    return latency_quantile(vector, share)


def _class_counts(layout: RollupLayout | None, tallies: Iterable[WeightedTally]) -> Iterable[tuple[str, float]]:
    """Return the predicted classes with the number of their predictions."""
    counted = [(weight, tally) for weight, tally in tallies if len(tally.counts)]
    if layout is None or not counted:
        return ()
    total = weighted_total(counted, layout.empty_tally(PREDICTIONS))
    counts = layout.split_section(PREDICTIONS, total.counts)["class"].tolist()
    return [(name, float(n)) for name, n in zip(layout.package.classes, counts, strict=False) if n]


def traffic_summary(tallies: WindowTallies, *, digest: str | None = None) -> dict[str, Any]:
    """Return plain values about the predictions of a window, of one package when `digest` is given.

    Latencies are within 2.5 %. With a sampled log, counts are estimates for all predictions.
    """
    log = tallies.log
    predictions, uncounted, outcomes = (
        {key: tally for key, tally in tallies.section(section).items() if digest is None or key[0] == digest}
        for section in (PREDICTIONS, UNCOUNTED, OUTCOMES)
    )
    version_names = log.version_names()
    by_version: dict[str, float] = {}
    by_source: dict[str, float] = {}
    confidence_sum = 0.0
    for (key_digest, source, weight), tally in [*predictions.items(), *uncounted.items()]:
        version = version_names.get(key_digest, key_digest[:12])
        by_version[version] = by_version.get(version, 0.0) + tally.n_rows * weight
        by_source[source] = by_source.get(source, 0.0) + tally.n_rows * weight
        confidence_sum += tally.confidence_sum * weight
    total = sum(by_source.values())
    by_class, latency_counts = _class_and_latency_counts(log, predictions)
    quantiles = {str(percent): latency_quantile(latency_counts, percent / 100) for percent in _PERCENTILES}
    return {
        "total_predictions": round(total),
        "average_confidence": confidence_sum / total if total else None,
        "predictions_by_class": _rounded_counts(by_class),
        "predictions_by_hour": [
            {"at": iso_timestamp(hour), "n": n} for hour, n in tallies.predictions_by_hour(digest).items()
        ],
        "predictions_by_version": _rounded_counts(by_version),
        "predictions_by_source": _rounded_counts(by_source),
        "n_outcomes": round(sum(tally.n_rows * weight for (_, _, weight), tally in outcomes.items())),
        "latency_ms": {percent: latency for percent, latency in quantiles.items() if latency is not None},
        "window": tallies.window.as_dict(),
    }


def _class_and_latency_counts(
    log: PredictionLog, tallies: Mapping[tuple[str, str, float], RollupCounts]
) -> tuple[dict[str, float], np.ndarray[Any, Any]]:
    """Return the number of predictions by class, and the counts of latencies."""
    by_class: dict[str, float] = {}
    latency_counts = np.zeros(1)
    for (digest, _, weight), tally in tallies.items():
        layout = log.layout(digest)
        if layout is None:
            continue
        for name, n in _class_counts(layout, [(weight, tally)]):
            by_class[name] = by_class.get(name, 0.0) + n
        counts = layout.split_section(PREDICTIONS, tally.counts)["latency"]
        latency_counts = latency_counts + weight * counts
    return by_class, latency_counts


def _rounded_counts(counts: Mapping[str, float]) -> dict[str, int]:
    return {name: round(n) for name, n in sorted(counts.items())}
