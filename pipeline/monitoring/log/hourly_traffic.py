"""Say what a page shows of a window: how many answers, of which classes, how sure and how fast, in all and by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.monitoring.log.log_window import hourly_prediction_counts, window_tallies
from pipeline.monitoring.log.record import window_bounds
from pipeline.monitoring.log.rollup_layout import OUTCOMES, PREDICTIONS, UNCOUNTED, RollupLayout, latency_quantile
from pipeline.monitoring.log.sampling_weights import weighted_total
from pipeline.state import HOUR_US, RollupCounts
from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.monitoring.log.log_window import Window
    from pipeline.package import Package
    from pipeline.state import RollupKey, State

    PackageLookup = Callable[[str], Package | None]

__all__ = ["HourlyOutcomes", "HourlyPredictions", "outcomes_by_hour", "predictions_by_hour", "traffic_summary"]

_PERCENTILES = (50, 95, 99)
_EMPTY_TALLY = RollupCounts(0, 0.0, np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class HourlyPredictions:
    """The answers of the hour that begins at `at`, in microseconds since 1970.

    Of a log that keeps a sample they are estimates of all that were given, and no whole numbers. `by_class` leaves
    out answers of packages that are not to be had; `confidence` is the mean over all.
    """

    hour: int
    n_predictions: float
    by_class: Mapping[str, float]
    mean_confidence: float


@dataclass(frozen=True, slots=True)
class HourlyOutcomes:
    """How many answers of the hour that begins at `at` have a known outcome, and how many of them were wrong.

    Of a log that keeps a sample they are estimates, and no whole numbers.
    """

    hour: int
    n_outcomes: float
    n_errors: float


def predictions_by_hour(
    state: State, model: str, packages: PackageLookup, *, since: int, until: int, digest: str | None = None
) -> tuple[HourlyPredictions, ...]:
    """Return the answers of each hour (UTC) that has any, from the first one that touches [since, until) to the last.

    They come from the roll-ups alone, whatever the number of rows; `roll_up` brings those up to date.

    Parameters
    ----------
    state : State
    model : str
    packages : callable
        As for `roll_up`.
    since, until : int
        In microseconds since 1970.
    digest : str, optional
        Of the one package that is asked about; all when None.
    """
    hours: dict[int, dict[str, list[tuple[float, RollupCounts]]]] = {}
    with state.reading() as connection:
        for part in (PREDICTIONS, UNCOUNTED):
            for key, tally in _read_hourly_rollups(connection, model, part, since, until, digest):
                hours.setdefault(key.hour_start, {}).setdefault(key.digest, []).append((key.weight, tally))
    return tuple(_hourly_predictions(at, hours[at], packages) for at in sorted(hours))


def outcomes_by_hour(
    state: State, model: str, packages: PackageLookup, *, since: int, until: int, digest: str | None = None
) -> tuple[HourlyOutcomes, ...]:
    """Return how many answers of each hour (UTC) turned out wrong; arguments as for `answers_by_hour`."""
    hours: dict[int, list[float]] = {}
    with state.reading() as connection:
        for key, tally in _read_hourly_rollups(connection, model, OUTCOMES, since, until, digest):
            package = packages(key.digest)
            if package is None or not len(tally.counts):
                continue
            k = len(package.classes)
            pairs = RollupLayout(package).split_section(OUTCOMES, tally.counts)["@all"].reshape(-1, k, k).sum(axis=0)
            n, n_right = float(pairs.sum()), float(np.trace(pairs))
            summed = hours.setdefault(key.hour_start, [0.0, 0.0])
            summed[0] += key.weight * n
            summed[1] += key.weight * (n - n_right)
    return tuple(HourlyOutcomes(at, *hours[at]) for at in sorted(hours) if hours[at][0])


def _read_hourly_rollups(
    connection: Any, model: str, part: str, since: int, until: int, digest: str | None
) -> list[tuple[RollupKey, RollupCounts]]:
    first = since - since % HOUR_US
    return store.read_rollups(connection, model, part, since=first, until=until, granularity="hour", digest=digest)


def _hourly_predictions(
    at: int, by_digest: Mapping[str, list[tuple[float, RollupCounts]]], packages: PackageLookup
) -> HourlyPredictions:
    by_class: dict[str, float] = {}
    n, total = 0.0, 0.0
    for digest, kept in by_digest.items():
        package = packages(digest)
        for name, answers in _class_counts(package, kept):
            by_class[name] = by_class.get(name, 0.0) + answers
        for weight, tally in kept:
            n, total = n + weight * tally.n_rows, total + weight * tally.confidence_sum
    return HourlyPredictions(at, n, dict(sorted(by_class.items())), total / n if n else 0.0)


def _class_counts(package: Package | None, kept: Iterable[tuple[float, RollupCounts]]) -> Iterable[tuple[str, float]]:
    """Return the classes that were said, with how often."""
    counted = [one for one in kept if len(one[1].counts)]
    if package is None or not counted:
        return ()
    layout = RollupLayout(package)
    said = layout.split_section(PREDICTIONS, weighted_total(counted, layout.empty_tally(PREDICTIONS)).counts)[
        "class"
    ].tolist()
    return [(name, float(n)) for name, n in zip(package.classes, said, strict=False) if n]


def traffic_summary(
    state: State, model: str, window: Window, packages: PackageLookup, *, digest: str | None = None
) -> dict[str, Any]:
    """Return plain values about all predictions of a window, or those of one package; latencies within 2.5 %.

    Of a log that keeps a sample they are estimates of all answers that were given.
    """
    answers, uncounted, known = (
        {
            key: tally
            for key, tally in window_tallies(state, model, window, part, packages).items()
            if digest in (None, key[0])
        }
        for part in (PREDICTIONS, UNCOUNTED, OUTCOMES)
    )
    hours = hourly_prediction_counts(state, model, window)
    if digest is not None:
        asked: dict[str, Any] = {"since": window.since, "until": window.until, "digest": digest}
        hours = {one.hour: round(one.n_predictions) for one in predictions_by_hour(state, model, packages, **asked)}
    with state.reading() as connection:
        versions = {one.digest: str(one.version) for one in store.read_versions(connection, model)}
    everything = [*answers.items(), *uncounted.items()]
    by_version: dict[str, float] = {}
    by_source: dict[str, float] = {}
    for (own, source, weight), tally in everything:
        version = versions.get(own, own[:12])
        by_version[version] = by_version.get(version, 0.0) + tally.n_rows * weight
        by_source[source] = by_source.get(source, 0.0) + tally.n_rows * weight
    by_class, latency = _class_and_latency_counts(answers, packages)
    total = sum(by_source.values())
    sure = sum(tally.confidence_sum * weight for (_, _, weight), tally in everything)
    quantiles = {str(q): latency_quantile(latency, q / 100) for q in _PERCENTILES}
    return {
        "total_predictions": round(total),
        "average_confidence": sure / total if total else None,
        "predictions_by_class": _rounded_counts(by_class),
        "predictions_by_hour": [{"at": iso_timestamp(at), "n": n} for at, n in hours.items()],
        "predictions_by_version": _rounded_counts(by_version),
        "predictions_by_source": _rounded_counts(by_source),
        "n_outcomes": round(sum(tally.n_rows * weight for (_, _, weight), tally in known.items())),
        "latency_ms": {q: one for q, one in quantiles.items() if one is not None},
        "window": window_bounds(window.since, window.until),
    }


def _class_and_latency_counts(
    answers: Mapping[tuple[str, str, float], RollupCounts], packages: PackageLookup
) -> tuple[dict[str, float], np.ndarray[Any, Any]]:
    """Return how often each class was said, and the counts of latencies."""
    by_class: dict[str, float] = {}
    latency = np.zeros(1)
    for (digest, _, weight), tally in answers.items():
        package = packages(digest)
        if package is None:
            continue
        for name, n in _class_counts(package, [(weight, tally)]):
            by_class[name] = by_class.get(name, 0.0) + n
        latency = latency + weight * RollupLayout(package).split_section(PREDICTIONS, tally.counts)["latency"]
    return by_class, latency


def _rounded_counts(found: Mapping[str, float]) -> dict[str, int]:
    return {name: round(n) for name, n in sorted(found.items())}
