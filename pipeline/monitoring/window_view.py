"""Evaluate one window of predictions: counts, drift, performance, degradation and traffic of the same rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pipeline.monitoring.drift import (
    DriftContext,
    detect_drift,
    detect_drift_against_frame,
    drift_lines,
    override_numeric_threshold,
    require_consecutive_windows,
)
from pipeline.monitoring.importance.importance_history import ImportanceHistory, importance_history
from pipeline.monitoring.log import WindowTallies, loggable_reference, traffic_summary, window_by_time
from pipeline.monitoring.performance import (
    ESTIMABLE_METRICS,
    HistoryOptions,
    IntervalOptions,
    assess_window,
    detect_degradation,
    estimates_agree,
    evaluate_window,
    metric_lines,
    slice_lines,
    sufficient_estimates,
)
from pipeline.state import DAY_US, HOUR_US

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.fairness import FairnessReport
    from pipeline.monitoring.drift import DriftLine, DriftReport
    from pipeline.monitoring.log import BinCounts, PredictionLog, Window
    from pipeline.monitoring.performance import Degradation, MetricLine, PerformanceReport
    from pipeline.package import Package

    Baseline = Literal["training", "previous_window"]

__all__ = ["LogWindowView", "WindowView"]

DEGRADATION_THRESHOLD = 0.05
_IMPORTANCE_DAYS = 90
_METRIC_ALIASES = {"f1_weighted": "f1_score"}  # the name that users of scikit-learn know


@dataclass(frozen=True)
class WindowView(ABC):
    """One window of predictions of one package. Each part is calculated once, and all parts cover the same rows.

    Parameters
    ----------
    model : str
    package : Package
        The package that made the predictions.
    config : Config
    importance : mapping of column to number
        Permutation importance of features; empty when it is not known.
    """

    model: str
    package: Package
    config: Config
    importance: Mapping[str, float] = field(default_factory=dict, kw_only=True)

    @cached_property
    @abstractmethod
    def counts(self) -> BinCounts:
        """The rows of the window by bin."""

    @cached_property
    @abstractmethod
    def drift(self) -> DriftReport:
        """The drift of each column, against the declared baseline."""

    @cached_property
    @abstractmethod
    def performance(self) -> PerformanceReport:
        """The realized and the estimated performance."""

    @cached_property
    @abstractmethod
    def traffic(self) -> dict[str, Any]:
        """Plain values about the number and the kind of predictions."""

    @cached_property
    @abstractmethod
    def fairness(self) -> FairnessReport:
        """The groups of protected columns, compared on rows with outcomes."""

    @cached_property
    @abstractmethod
    def importance_history(self) -> ImportanceHistory:
        """The importance of features on test rows, and by window of the log."""

    @property
    @abstractmethod
    def is_provisional(self) -> bool:
        """Whether more outcomes may still arrive."""

    @property
    @abstractmethod
    def bounds(self) -> dict[str, str] | None:
        """Both ends as ISO 8601 text, None when the rows have no times."""

    @property
    def drift_context(self) -> DriftContext:
        """The declared thresholds, and the importance of features."""
        return DriftContext.from_config(self.config, self.package.schema, importance=self.importance)

    @property
    def interval_options(self) -> IntervalOptions:
        """The declared options of intervals."""
        monitoring = self.config.monitoring
        return IntervalOptions(monitoring.confidence_level, monitoring.bootstrap_samples, self.config.seed)

    @property
    def validated_metrics(self) -> dict[str, float]:
        """The cross-validated metrics of the package."""
        return {
            name: value
            for name, value in self.package.metrics.items()
            if name in ESTIMABLE_METRICS and value is not None
        }

    def detect_degradation(
        self, baseline: Mapping[str, float] | None = None, *, threshold: float = DEGRADATION_THRESHOLD
    ) -> tuple[Degradation, ...]:
        """Compare realized metrics with a baseline, the cross-validated metrics of the package when None."""
        return detect_degradation(
            self.performance.realized,
            baseline if baseline is not None else self.validated_metrics,
            threshold=threshold,
            min_outcomes=self.config.monitoring.min_rows,
        )

    def report(self, *, drift: DriftReport | None = None) -> dict[str, Any]:
        """Return everything about the window as plain values, with another drift report when it is given."""
        return {
            "model": self.model,
            "dashboard": self.traffic,
            "drift": self.drift_values(drift if drift is not None else self.drift),
            "performance": self.performance_values(),
            "degradation": self.degradation_values(self.detect_degradation()),
            "fairness": self.fairness.as_dict(),
            "importance": self.importance_history.as_dict(),
        }

    def drift_values(self, report: DriftReport) -> dict[str, Any]:
        """Return a drift report of this window as plain values."""
        return {
            "drift_detected": report.verdict == "drift",
            "drifted_features": list(report.drifted_columns),
            "window": self.bounds,
            **report.as_dict(),
        }

    def performance_values(self) -> dict[str, Any]:
        """Return realized and estimated metrics as plain values."""
        realized, estimated = self.performance.realized, self.performance.estimated
        metrics = {_public_name(name): metric.as_dict() for name, metric in realized.metrics.items()}
        estimates = sufficient_estimates(estimated, min_rows=self.config.monitoring.min_rows)
        agree = estimates_agree(estimated, realized, min_outcomes=self.config.monitoring.min_rows)
        return {
            **{name: metric["value"] for name, metric in metrics.items()},
            "total_predictions": realized.n_rows,
            "n_outcomes": realized.n_outcomes,
            "coverage": realized.coverage,
            "provisional": self.is_provisional,
            "intervals": {name: [metric["low"], metric["high"]] for name, metric in metrics.items()},
            "estimated": {_public_name(name): metric.as_dict() for name, metric in estimates.items()},
            "estimates_agree": {_public_name(name): is_equal for name, is_equal in agree.items()},
            "by_version": {name: part.as_dict() for name, part in self.performance.by_version.items()},
            "by_source": {name: part.as_dict() for name, part in self.performance.by_source.items()},
            "slices": [asdict(part) for part in self.performance.slices],
            "window": self.bounds,
        }

    def degradation_values(self, degradations: tuple[Degradation, ...]) -> dict[str, Any]:
        """Return degradations of this window as plain values."""
        realized = self.performance.realized
        degraded = [degradation.metric for degradation in degradations if degradation.verdict == "degraded"]
        n_outcomes, n_needed = realized.n_outcomes, self.config.monitoring.min_rows
        return {
            "degradation_detected": bool(degraded),
            "degraded_metrics": degraded,
            "findings": [{**asdict(degradation), "verdict": degradation.verdict} for degradation in degradations],
            "n_outcomes": n_outcomes,
            "shortage": f"{n_outcomes:,} of {n_needed:,} outcomes needed" if n_outcomes < n_needed else "",
            "coverage": realized.coverage,
            "window": self.bounds,
        }


@dataclass(frozen=True)
class LogWindowView(WindowView):
    """A window of the prediction log.

    Parameters
    ----------
    log : PredictionLog
        With roll-ups up to date, on an open database.
    window : Window
    now : int
        When the window was opened, in microseconds since 1970.
    is_single_version : bool
        Whether `traffic` covers the predictions of this package alone.
    """

    log: PredictionLog = field(kw_only=True)
    window: Window = field(kw_only=True)
    now: int = field(kw_only=True)
    is_single_version: bool = field(default=False, kw_only=True)

    @cached_property
    def tallies(self) -> WindowTallies:
        """The tallies of the window, each section read once."""
        return WindowTallies(self.log, self.window)

    @cached_property
    def counts(self) -> BinCounts:
        """The rows of the window by bin."""
        return self.tallies.bin_counts(self.package)

    @cached_property
    def drift(self) -> DriftReport:
        """The drift of each column, against the declared baseline."""
        return self.detect_drift()

    @cached_property
    def performance(self) -> PerformanceReport:
        """The performance of the package, and of all packages by version."""
        return evaluate_window(self.tallies, self.package, intervals=self.interval_options)

    @cached_property
    def fairness(self) -> FairnessReport:
        """The groups of protected columns, compared on predictions with outcomes."""
        return assess_window(self.tallies, self.package, self.config.fairness, seed=self.config.seed)

    @cached_property
    def traffic(self) -> dict[str, Any]:
        """Plain values about the number and the kind of predictions."""
        return traffic_summary(self.tallies, digest=self.package.digest if self.is_single_version else None)

    @cached_property
    def importance_history(self) -> ImportanceHistory:
        """The importance of features in the windows of the last 90 days."""
        return importance_history(
            self.log.state,
            self.model,
            self.package,
            config=self.config.monitoring,
            since=self.now - _IMPORTANCE_DAYS * DAY_US,
        )

    @property
    def is_provisional(self) -> bool:
        """Whether some rows have no outcome, and the label delay has not passed for all rows."""
        realized = self.performance.realized
        delay_us = int(self.config.monitoring.label_delay_hours * HOUR_US)
        return realized.n_outcomes < realized.n_rows and self.window.until - 1 > self.now - delay_us

    @property
    def bounds(self) -> dict[str, str]:
        """Both ends as ISO 8601 text."""
        return self.window.as_dict()

    def detect_drift(
        self,
        reference_frame: pd.DataFrame | None = None,
        *,
        drift_threshold: float | None = None,
        baseline: Baseline | None = None,
    ) -> DriftReport:
        """Return the drift of each column.

        Parameters
        ----------
        reference_frame : DataFrame, optional
            Rows to compare with, which also allow the multivariate test.
        drift_threshold : float, optional
            Threshold of numeric columns; categorical columns get half of it. The declared thresholds when None.
        baseline : "training" or "previous_window", optional
            What to compare with when no frame is given; `monitoring.baseline` when None.
        """
        thresholds = override_numeric_threshold(self.config.drift, drift_threshold)
        if reference_frame is not None:
            config = self.config.model_copy(update={"drift": thresholds})
            return detect_drift_against_frame(
                self.log.rows(self.window), self.package, reference_frame, config=config, importance=self.importance
            )
        context = replace(self.drift_context, config=thresholds)
        is_relative = (baseline if baseline is not None else self.config.monitoring.baseline) == "previous_window"
        n_windows = thresholds.consecutive_windows
        counts = [self.counts, *(self._earlier_counts(back) for back in range(1, n_windows + is_relative))]
        reference = loggable_reference(self.package)
        reports = [
            detect_drift(reference, counts[i], context, baseline=counts[i + 1] if is_relative else None)
            for i in range(n_windows)
        ]
        return require_consecutive_windows(reports[0], reports[1:], thresholds)

    def drift_lines(
        self,
        *,
        baseline: Baseline | None = None,
        columns: Collection[str] | None = None,
        since: int | None = None,
    ) -> tuple[DriftLine, ...]:
        """Return the drift of columns over time until the end of the window, in periods with enough rows.

        Parameters
        ----------
        baseline : "training" or "previous_window", optional
            What each period is compared with; `monitoring.baseline` when None.
        columns : collection of str, optional
            All columns when None.
        since : int, optional
            Start of the lines, in microseconds since 1970; that of the window when None.
        """
        is_relative = (baseline if baseline is not None else self.config.monitoring.baseline) == "previous_window"
        return drift_lines(
            self.log,
            self.package,
            self.drift_context,
            since=self.window.since if since is None else since,
            until=self.window.until,
            columns=columns,
            baseline=self._earlier_counts(1) if is_relative else None,
        )

    @property
    def history_options(self) -> HistoryOptions:
        """How metrics over time are limited: by the cross-validated metrics of the package."""
        return HistoryOptions(
            self.config.monitoring.min_rows, self.interval_options, self.validated_metrics, DEGRADATION_THRESHOLD
        )

    def metric_lines(
        self, names: Sequence[str] = ESTIMABLE_METRICS, *, since: int | None = None
    ) -> tuple[MetricLine, ...]:
        """Return metrics over time until the end of the window, realized and estimated, in periods with enough rows.

        `since` is the start of the lines, in microseconds since 1970; that of the window when None.
        """
        return metric_lines(
            self.log,
            self.package,
            self.history_options,
            since=self.window.since if since is None else since,
            until=self.window.until,
            names=names,
        )

    def slice_lines(self, column: str, metric: str) -> tuple[MetricLine, ...]:
        """Return a metric of classes over the time of the window, for each slice of a column."""
        return slice_lines(
            self.log,
            self.package,
            self.history_options,
            since=self.window.since,
            until=self.window.until,
            column=column,
            metric=metric,
        )

    def _earlier_counts(self, back: int) -> BinCounts:
        """Return the counts of the window of the same length, `back` windows before this one."""
        length = self.window.until - self.window.since
        window = window_by_time(
            self.log, since=self.window.since - back * length, until=self.window.until - back * length
        )
        return WindowTallies(self.log, window).bin_counts(self.package)


def _public_name(metric: str) -> str:
    return _METRIC_ALIASES.get(metric, metric)
