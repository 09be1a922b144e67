"""Judge the predictions of a window by the outcomes that have arrived, and by what their probabilities promise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.monitoring.log.log_batch import LogBatch
from pipeline.monitoring.log.log_window import window_tallies
from pipeline.monitoring.log.rollup_layout import OUTCOMES, PREDICTIONS, RollupLayout
from pipeline.monitoring.log.sampling_weights import effective_sample, row_weights
from pipeline.monitoring.performance.estimation import (
    ESTIMABLE_METRICS,
    Performance,
    calculate_realized_performance,
    estimate_performance,
)
from pipeline.monitoring.performance.score_histogram import ScoreHistogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.config.groups.monitoring_config import MonitoringConfig
    from pipeline.monitoring.log.log_window import Window
    from pipeline.package import Package
    from pipeline.state import LoggedRow, RollupCounts, State

__all__ = ["PerformanceReport", "SlicePerformance", "evaluate_rows", "evaluate_window", "is_provisional"]

_MAX_EXACT_ROWS = 20_000  # up to so many, figures are those of the rows to the last digit
_LABEL_METRICS = ("accuracy", "f1_weighted", "precision", "recall")
_MIN_SLICE_OUTCOMES = 30


@dataclass(frozen=True, slots=True)
class SlicePerformance:
    """How often the model was right where one column lay in one bin; `stands_out` when that is worse than chance allows.

    The interval holds for all slices together (Wilson 1927, corrected by Bonferroni).
    """

    column: str
    value: str
    n_outcomes: int
    accuracy: float
    low: float
    high: float
    is_below_overall: bool


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """Performance of a window: as measured, as expected, and its parts, by version, source and slice."""

    realized: Performance
    estimated: Performance
    by_version: Mapping[str, Performance]
    by_source: Mapping[str, Performance]
    slices: tuple[SlicePerformance, ...]


def evaluate_window(
    state: State,
    model: str,
    package: Package,
    window: Window,
    config: MonitoringConfig,
    *,
    packages: Callable[[str], Package | None],
    seed: int,
) -> PerformanceReport:
    """Return the performance of the predictions that one package gave in a window; `by_version` speaks of all packages.

    Figures come from roll-ups: those of classes are exact, those of scores within 0.001. Up to 20,000 rows,
    and with more than two classes, they come from the rows themselves and are exact.
    """
    answers = window_tallies(state, model, window, PREDICTIONS, packages)
    outcomes = window_tallies(state, model, window, OUTCOMES, packages)
    how: dict[str, Any] = {"confidence": config.confidence_level, "draws": config.bootstrap_samples, "seed": seed}
    layout = RollupLayout(package)
    said = _effective_tally(layout, PREDICTIONS, answers, package.digest)
    n_rows = round(said.n_rows)
    if n_rows <= _MAX_EXACT_ROWS or not layout.has_single_score:
        with state.reading() as connection:
            rows = store.window_predictions(connection, model, since=window.since, until=window.until)
        measured, expected = evaluate_rows(
            [row for row in rows if row.digest == package.digest], package, config, seed=seed
        )
    else:
        measured = _realized_from_rollups(
            layout, _effective_tally(layout, OUTCOMES, outcomes, package.digest), n_rows, how
        )
        scores = layout.split_section(PREDICTIONS, said.counts)["said"].reshape(-1, 2)
        expected = estimate_performance(
            ScoreHistogram.from_counts(package.reference.score, scores, package.schema.target), ESTIMABLE_METRICS, **how
        )
    return PerformanceReport(
        measured,
        expected,
        dict(_performance_by_version(state, model, answers, outcomes, packages, how, {package.digest: measured})),
        dict(_performance_by_source(layout, answers, outcomes, how, measured)),
        tuple(
            _slice_performances(
                layout, _effective_tally(layout, OUTCOMES, outcomes, package.digest), config.confidence_level
            )
        ),
    )


def evaluate_rows(
    rows: Sequence[LoggedRow], package: Package, config: MonitoringConfig, *, seed: int
) -> tuple[Performance, Performance]:
    """Return measured and expected performance of rows that one package gave.

    Parameters
    ----------
    rows : sequence of CountedRow
        An outcome that is None, or a word that is no class, counts as not known.
    package : Package
    config : MonitoringConfig
        `confidence` and `draws` are read.
    seed : int
    """
    target = package.schema.target
    positive = target.classes.index(target.positive) if target.is_binary and target.positive is not None else None
    how: dict[str, Any] = {"confidence": config.confidence_level, "draws": config.bootstrap_samples, "seed": seed}
    codes = {name: code for code, name in enumerate(target.classes)}
    probabilities = LogBatch.from_rows(rows, package).probabilities()
    said = np.array([codes[row.prediction] for row in rows], dtype=np.int64)
    is_known = np.array([row.outcome in codes for row in rows], dtype=bool)
    y = np.array([codes[row.outcome] for row in rows if row.outcome in codes], dtype=np.int64)
    judged = [row for row in rows if row.outcome in codes]
    known = ScoreHistogram.from_rows(
        probabilities[is_known], said[is_known], positive=positive, outcomes=y, row_weights=row_weights(judged)
    )
    everything = ScoreHistogram.from_rows(probabilities, said, positive=positive, row_weights=row_weights(rows))
    measured = calculate_realized_performance(known, ESTIMABLE_METRICS, n_rows=len(rows), **how)
    expected = estimate_performance(everything, ESTIMABLE_METRICS, **how)
    return replace(measured, n_outcomes=len(judged)), replace(expected, n_rows=len(rows))


def _effective_tally(
    layout: RollupLayout,
    part: str,
    kept: Mapping[tuple[str, str, float], RollupCounts],
    digest: str,
    source: str | None = None,
) -> RollupCounts:
    own = ((weight, one) for (its, name, weight), one in kept.items() if its == digest and source in (None, name))
    return effective_sample(own, layout.empty_tally(part))


def _realized_from_rollups(
    layout: RollupLayout, outcomes: RollupCounts, n_rows: int, how: Mapping[str, Any]
) -> Performance:
    k = len(layout.package.classes)
    table = layout.split_section(OUTCOMES, outcomes.counts)["@all"].reshape(-1, k, k)
    target = layout.package.schema.target
    if layout.has_single_score:
        cells = ScoreHistogram.from_counts(layout.package.reference.score, table, target)
        found = calculate_realized_performance(cells, ESTIMABLE_METRICS, n_rows=n_rows, **how)
        return replace(found, n_outcomes=round(outcomes.n_rows))
    # Without scores one cell for each class that was said: enough for figures that look at classes alone.
    confusion = table.sum(axis=0)
    cells = ScoreHistogram(np.eye(k), np.arange(k), confusion.sum(axis=1), None, confusion)
    found = calculate_realized_performance(cells, _LABEL_METRICS, n_rows=n_rows, **how)
    return replace(found, n_outcomes=round(outcomes.n_rows))


def _performance_by_version(
    state: State,
    model: str,
    answers: Mapping[tuple[str, str, float], RollupCounts],
    outcomes: Mapping[tuple[str, str, float], RollupCounts],
    packages: Callable[[str], Package | None],
    how: Mapping[str, Any],
    known: Mapping[str, Performance],
) -> Iterator[tuple[str, Performance]]:
    """Yield the performance of each version; `known` holds that of packages, by digest, for which it is there already."""
    with state.reading() as connection:
        versions = {one.digest: str(one.version) for one in store.read_versions(connection, model)}
    for digest in sorted({its for its, _, _ in answers}):
        name, package = versions.get(digest, digest[:12]), packages(digest)
        if digest in known:
            yield name, known[digest]
        elif package is not None:
            layout = RollupLayout(package)
            n_rows = round(_effective_tally(layout, PREDICTIONS, answers, digest).n_rows)
            yield (
                name,
                _realized_from_rollups(layout, _effective_tally(layout, OUTCOMES, outcomes, digest), n_rows, how),
            )


def _performance_by_source(
    layout: RollupLayout,
    answers: Mapping[tuple[str, str, float], RollupCounts],
    outcomes: Mapping[tuple[str, str, float], RollupCounts],
    how: Mapping[str, Any],
    whole: Performance,
) -> Iterator[tuple[str, Performance]]:
    """Yield the performance of each source of one package, whose own is `whole`."""
    digest = layout.package.digest
    sources = sorted({name for its, name, _ in answers if its == digest})
    if len(sources) == 1:
        yield sources[0], whole
        return
    for source in sources:
        n_rows = round(_effective_tally(layout, PREDICTIONS, answers, digest, source).n_rows)
        yield (
            source,
            _realized_from_rollups(layout, _effective_tally(layout, OUTCOMES, outcomes, digest, source), n_rows, how),
        )


def _slice_performances(layout: RollupLayout, outcomes: RollupCounts, confidence: float) -> Iterator[SlicePerformance]:
    """Yield the slices with thirty outcomes or more, the worst first."""
    from scipy.special import ndtri

    k, parts = len(layout.package.classes), layout.split_section(OUTCOMES, outcomes.counts)
    whole = parts["@all"].reshape(-1, k, k).sum(axis=0)
    found = []
    for bins in layout.reference.columns:
        for label, table in zip(bins.labels, parts[bins.name].reshape(-1, k, k), strict=True):
            n = float(table.sum())
            if n >= _MIN_SLICE_OUTCOMES:
                found.append((bins.name, label, n, float(np.trace(table))))
    overall = float(np.trace(whole)) / max(float(whole.sum()), 1.0)
    z = float(ndtri(1 - (1 - confidence) / 2 / max(len(found), 1)))
    figures = []
    for column, label, n, hits in found:
        share = hits / n
        middle, reach = (share + z * z / (2 * n)), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        low, high = ((middle + side * reach) / (1 + z * z / n) for side in (-1, 1))
        figures.append(SlicePerformance(column, label, round(n), share, float(low), float(high), bool(high < overall)))
    yield from sorted(figures, key=lambda one: (one.high, one.column, one.value))


def is_provisional(realized: Performance, window: Window, *, now: int, label_delay_us: int) -> bool:
    """Whether more outcomes are still to be expected: the delay has not passed for all rows, and some have none."""
    return realized.n_outcomes < realized.n_rows and window.until - 1 > now - label_delay_us
