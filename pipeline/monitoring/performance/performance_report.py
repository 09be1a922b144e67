"""Report the performance of a window: realized, estimated, and by version, source and slice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import wilson_interval
from pipeline.monitoring.log.log_batch import LogBatch
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
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.monitoring.log.log_window import WindowTallies
    from pipeline.monitoring.performance.estimation import IntervalOptions
    from pipeline.package import Package
    from pipeline.schema import Target
    from pipeline.state import LoggedRow, RollupCounts

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "LABEL_METRICS",
    "EffectiveTallies",
    "PerformanceReport",
    "SlicePerformance",
    "evaluate_frame",
    "evaluate_rows",
    "evaluate_window",
    "realized_from_rollups",
]

_MAX_EXACT_ROWS = 20_000  # up to so many rows, metrics are calculated from rows and exact
LABEL_METRICS = ("accuracy", "f1_weighted", "precision", "recall")
_MIN_SLICE_OUTCOMES = 30


@dataclass(frozen=True, slots=True)
class SlicePerformance:
    """The accuracy where one column lies in one bin; `is_below_overall` when it is significantly below the overall one.

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
    """Performance of a window: realized, estimated, and its parts by version, source and slice."""

    realized: Performance
    estimated: Performance
    by_version: Mapping[str, Performance] = field(default_factory=dict)
    by_source: Mapping[str, Performance] = field(default_factory=dict)
    slices: tuple[SlicePerformance, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectiveTallies:
    """Tallies of a window as samples of equal weights."""

    tallies: WindowTallies

    def effective(self, layout: RollupLayout, section: str, source: str | None = None) -> RollupCounts:
        """Return the tallies of one package as one sample of equal weights, of all sources when `source` is None."""
        weighted = (
            (weight, tally)
            for (digest, name, weight), tally in self.tallies.section(section).items()
            if digest == layout.package.digest and source in (None, name)
        )
        return effective_sample(weighted, layout.empty_tally(section))

    def realized(self, layout: RollupLayout, intervals: IntervalOptions, source: str | None = None) -> Performance:
        """Return the realized performance of one package, of all sources when `source` is None."""
        n_rows = round(self.effective(layout, PREDICTIONS, source).n_rows)
        return realized_from_rollups(layout, self.effective(layout, OUTCOMES, source), n_rows, intervals=intervals)


def evaluate_window(tallies: WindowTallies, package: Package, *, intervals: IntervalOptions) -> PerformanceReport:
    """Return the performance of the predictions that one package made in a window; `by_version` covers all packages.

    Metrics of more than 20,000 rows come from roll-ups: those of classes are exact, those of scores within 0.001.
    Otherwise, and with more than two classes, they come from the rows and are exact.

    Parameters
    ----------
    tallies : WindowTallies
        Of a log with roll-ups up to date.
    package : Package
    intervals : IntervalOptions
    """
    layout, samples = RollupLayout(package), EffectiveTallies(tallies)
    predictions = samples.effective(layout, PREDICTIONS)
    if round(predictions.n_rows) <= _MAX_EXACT_ROWS or not layout.has_single_score:
        rows = [row for row in tallies.log.rows(tallies.window) if row.digest == package.digest]
        realized, estimated = evaluate_rows(rows, package, intervals=intervals)
    else:
        realized = samples.realized(layout, intervals)
        scores = layout.split_section(PREDICTIONS, predictions.counts)["score_by_class"].reshape(-1, 2)
        histogram = ScoreHistogram.from_counts(package.reference.score, scores, package.schema.target)
        estimated = estimate_performance(histogram, intervals=intervals)
    slices = _slice_performances(layout, samples.effective(layout, OUTCOMES), intervals.confidence_level)
    return PerformanceReport(
        realized,
        estimated,
        by_version=dict(_performance_by_version(samples, intervals, {package.digest: realized})),
        by_source=dict(_performance_by_source(layout, samples, intervals, overall=realized)),
        slices=tuple(slices),
    )


def evaluate_rows(
    rows: Sequence[LoggedRow], package: Package, *, intervals: IntervalOptions
) -> tuple[Performance, Performance]:
    """Return realized and estimated performance of logged rows that one package predicted.

    An outcome that is None or no class counts as unknown.
    """
    probabilities = LogBatch.from_rows(rows, package).probabilities()
    codes = {name: code for code, name in enumerate(package.classes)}
    predicted = np.array([codes[row.prediction] for row in rows], dtype=np.int64)
    outcomes = _outcome_codes([row.outcome for row in rows], package.schema.target)
    with_outcome = [row for row, outcome in zip(rows, outcomes.tolist(), strict=True) if outcome >= 0]
    return _evaluate_predictions(
        package.schema.target,
        probabilities,
        predicted,
        outcomes=outcomes,
        row_weights_of=(row_weights(rows), row_weights(with_outcome)),
        intervals=intervals,
    )


def evaluate_frame(
    frame: pd.DataFrame, package: Package, probabilities: Floats, *, intervals: IntervalOptions
) -> PerformanceReport:
    """Return the performance of a package on the rows of a frame.

    Parameters
    ----------
    frame : DataFrame
        With the features; outcomes in the target column, where the frame has it.
    package : Package
    probabilities : float, shape (n_rows, n_classes)
        Predictions of the package for the frame.
    intervals : IntervalOptions
    """
    target = package.schema.target
    codes = {name: code for code, name in enumerate(target.classes)}
    predicted = np.array([codes[str(label)] for label in package.predict(frame)], dtype=np.int64)
    labels = [str(value) for value in frame[target.column]] if target.column in frame else [None] * len(frame)
    realized, estimated = _evaluate_predictions(
        target, probabilities, predicted, outcomes=_outcome_codes(labels, target), intervals=intervals
    )
    return PerformanceReport(realized, estimated)


def _outcome_codes(labels: Sequence[str | None], target: Target) -> Ints:
    """Return the position of each label among the classes, -1 for an unknown outcome."""
    codes: dict[str | None, int] = {name: code for code, name in enumerate(target.classes)}
    return np.array([codes.get(label, -1) for label in labels], dtype=np.int64)


def _evaluate_predictions(
    target: Target,
    probabilities: Floats,
    predicted: Ints,
    *,
    outcomes: Ints,
    intervals: IntervalOptions,
    row_weights_of: tuple[Floats | None, Floats | None] = (None, None),
) -> tuple[Performance, Performance]:
    """Return realized and estimated performance; `row_weights_of` all rows, and of those with an outcome."""
    positive = target.classes.index(target.positive) if target.is_binary and target.positive is not None else None
    is_known = outcomes >= 0
    known = ScoreHistogram.from_rows(
        probabilities[is_known],
        predicted[is_known],
        positive=positive,
        outcomes=outcomes[is_known],
        row_weights=row_weights_of[1],
    )
    everything = ScoreHistogram.from_rows(probabilities, predicted, positive=positive, row_weights=row_weights_of[0])
    realized = calculate_realized_performance(known, ESTIMABLE_METRICS, n_rows=len(predicted), intervals=intervals)
    estimated = estimate_performance(everything, intervals=intervals)
    return replace(realized, n_outcomes=int(is_known.sum())), replace(estimated, n_rows=len(predicted))


def realized_from_rollups(
    layout: RollupLayout,
    outcomes: RollupCounts,
    n_rows: int,
    *,
    intervals: IntervalOptions,
    names: Sequence[str] = ESTIMABLE_METRICS,
) -> Performance:
    """Return the metrics of one package from the counts of its outcomes; without a single score those of classes.

    Parameters
    ----------
    layout : RollupLayout
    outcomes : RollupCounts
        Of the section `OUTCOMES`.
    n_rows : int
        All predictions, with and without an outcome.
    intervals : IntervalOptions
    names : sequence of str
        Members of `ESTIMABLE_METRICS`.
    """
    k = len(layout.package.classes)
    table = layout.split_section(OUTCOMES, outcomes.counts)["@all"].reshape(-1, k, k)
    if layout.has_single_score:
        histogram = ScoreHistogram.from_counts(layout.package.reference.score, table, layout.package.schema.target)
    else:
        # Without scores, one cell for each predicted class is enough for metrics of classes.
        confusion: NDArray[Any] = table.sum(axis=0)
        histogram = ScoreHistogram(np.eye(k), np.arange(k), confusion.sum(axis=1), None, confusion)
        names = [name for name in names if name in LABEL_METRICS]
    performance = calculate_realized_performance(histogram, names, n_rows=n_rows, intervals=intervals)
    return replace(performance, n_outcomes=round(outcomes.n_rows))


def _performance_by_version(
    samples: EffectiveTallies, intervals: IntervalOptions, known: Mapping[str, Performance]
) -> Iterator[tuple[str, Performance]]:
    """Yield the performance of each version; `known` has that of some packages by digest."""
    log = samples.tallies.log
    version_names = log.version_names()
    for digest in sorted({digest for digest, _, _ in samples.tallies.section(PREDICTIONS)}):
        name, package = version_names.get(digest, digest[:12]), log.packages(digest)
        if digest in known:
            yield name, known[digest]
        elif package is not None:
            yield name, samples.realized(RollupLayout(package), intervals)


def _performance_by_source(
    layout: RollupLayout, samples: EffectiveTallies, intervals: IntervalOptions, *, overall: Performance
) -> Iterator[tuple[str, Performance]]:
    """Yield the performance of each source of predictions of one package."""
    sources = sorted(
        {source for digest, source, _ in samples.tallies.section(PREDICTIONS) if digest == layout.package.digest}
    )
    if len(sources) == 1:
        yield sources[0], overall
        return
    for source in sources:
        yield source, samples.realized(layout, intervals, source)


def _slice_performances(
    layout: RollupLayout, outcomes: RollupCounts, confidence_level: float
) -> Iterator[SlicePerformance]:
    """Yield the slices with thirty outcomes or more, the worst first."""
    from scipy.special import ndtri

    k, parts = len(layout.package.classes), layout.split_section(OUTCOMES, outcomes.counts)
    overall_table = parts["@all"].reshape(-1, k, k).sum(axis=0)
    overall = float(np.trace(overall_table)) / max(float(overall_table.sum()), 1.0)
    cells = [
        (bins.name, label, float(table.sum()), float(np.trace(table)))
        for bins in layout.reference.columns
        for label, table in zip(bins.labels, parts[bins.name].reshape(-1, k, k), strict=True)
        if float(table.sum()) >= _MIN_SLICE_OUTCOMES
    ]
    z = float(ndtri(1 - (1 - confidence_level) / 2 / max(len(cells), 1)))
    slices = []
    for column, label, n, n_correct in cells:
        accuracy = n_correct / n
        low, high = wilson_interval(accuracy, n, z)
        slices.append(SlicePerformance(column, label, round(n), accuracy, low, high, is_below_overall=high < overall))
    yield from sorted(slices, key=lambda each: (each.high, each.column, each.value))
