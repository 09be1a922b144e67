"""Query two versions side by side: what differs, their live performance, and the trials between them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.monitoring import IntervalOptions, PredictionLog, read_version_performance
from pipeline.project import paths
from pipeline.version_comparison import EvaluationComparison, VersionDetails, compare_evaluations, diff_versions

from .. import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.monitoring import VersionPerformance
    from pipeline.state import ModelVersion, Trial
    from pipeline.version_comparison import VersionDiff

__all__ = ["live_performance", "trials_between", "version_diff"]

_MINUTE_US = 60_000_000


def version_diff(first: ModelVersion, second: ModelVersion) -> VersionDiff:
    """Return what differs from the first version to the second; scores are cached by the packages and test rows."""
    before, after = (VersionDetails(version, queries.load_package(version.digest)) for version in (first, second))
    root = queries.project_root()
    stamps = tuple(queries.file_stamp(root / path) for path in (paths.PARAMS, paths.TRAIN_ROWS, paths.TEST_ROWS))
    numbers = (first.version, second.version)
    key = (str(root), first.model, first.digest, second.digest, os.environ.get(store.STATE_URL_ENV))
    return diff_versions(before, after, _cached_evaluation(key, numbers, stamps))


@queries.cached(3600, spinner="Scoring the test rows with both versions ...")
def _cached_evaluation(
    key: tuple[str | None, ...],
    numbers: tuple[int, int],
    stamps: tuple[tuple[int, int], ...],  # noqa: ARG001 - a part of the cache key
) -> EvaluationComparison:
    versions = {version.version: version for version in queries.versions(str(key[1]))}
    first, second = (
        VersionDetails(versions[number], queries.load_package(versions[number].digest)) for number in numbers
    )
    return compare_evaluations(first, second, queries.config(), root=Path(str(key[0])))


def live_performance(versions: Sequence[ModelVersion], *, since: int, until: int) -> tuple[VersionPerformance, ...]:
    """Return the performance of each version on its own predictions in a time range, from the roll-ups.

    A range is cached for a minute by its ends in whole minutes.
    """
    key = (str(queries.project_root()), os.environ.get(store.STATE_URL_ENV), versions[0].model)
    ends = (since // _MINUTE_US * _MINUTE_US, -(-until // _MINUTE_US) * _MINUTE_US)
    return _cached_performance(key, tuple(version.digest for version in versions), ends)


@queries.cached(60, spinner=False)
def _cached_performance(
    key: tuple[str, str | None, str], digests: tuple[str, ...], ends: tuple[int, int]
) -> tuple[VersionPerformance, ...]:
    config = queries.config()
    log = PredictionLog(queries.state(), key[2], queries.find_package, sources=config.monitoring.sources)
    options = IntervalOptions(config.monitoring.confidence_level, config.monitoring.bootstrap_samples, config.seed)
    packages = [queries.load_package(digest) for digest in digests]
    return read_version_performance(log, packages, since=ends[0], until=ends[1], intervals=options)


def trials_between(first: ModelVersion, second: ModelVersion) -> list[Trial]:
    """Return the trials between two versions, newest first."""
    numbers = {first.version, second.version}
    with queries.state().reading() as connection:
        trials = store.read_trials(connection, first.model)
    return [trial for trial in reversed(trials) if {trial.champion, trial.challenger} == numbers]
