"""Watch one live model: log predictions and outcomes, and judge drift and performance over any window."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.errors import DataError, IntegrityError, UsageError
from pipeline.monitoring.drift.detection import (
    DEFAULT_DRIFT_THRESHOLD,
    detect_drift,
    override_numeric_threshold,
    require_consecutive_windows,
)
from pipeline.monitoring.drift.frame_comparison import detect_drift_against_frame
from pipeline.monitoring.log.hourly_traffic import traffic_summary
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.log_window import Window, window_by_rows, window_by_time, window_counts
from pipeline.monitoring.log.record import (
    check_class,
    features_as_json_values,
    loggable_features,
    read_feature_importance,
    window_bounds,
)
from pipeline.monitoring.log.rollup_updates import HOUR_US, rebuild_rollups, roll_up
from pipeline.monitoring.performance.estimation import ESTIMABLE_METRICS, detect_degradation, estimates_agree
from pipeline.monitoring.performance.performance_report import PerformanceReport, evaluate_window, is_provisional
from pipeline.package.package_store import PackageStore
from pipeline.project import paths
from pipeline.project.root import find_project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.monitoring_config import DriftConfig
    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.drift_report import DriftReport
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["ModelMonitor"]

_MAX_WINDOW_HOURS = 1_000_000
_METRIC_ALIASES = {"f1_weighted": "f1_score"}  # as scikit-learn's users call it


@dataclass
class ModelMonitor:
    """Predictions, drift and performance of the version of a model that is in production.

    It reads the log that servers write, from any process, and makes no writer wait longer than one short
    transaction takes.

    Parameters
    ----------
    model_name : str
        A registered model.
    root : Path, optional
        Folder of the project; found from the present folder when None.
    config : Config, optional
        Limits and windows; those of the project's params.yaml when None.
    clock : callable, optional
        Returns the moment in microseconds since 1970, UTC; of the database when None.
    version : int, optional
        The version that it looks at; the one in production when None.

    Examples
    --------
    >>> monitor = ModelMonitor("personality_model")  # doctest: +SKIP
    >>> monitor.calculate_performance_metrics(window_hours=24)["accuracy"]  # doctest: +SKIP
    """

    model_name: str
    root: Path | None = None
    config: Config | None = None
    clock: Callable[[], int] | None = None
    version: int | None = None
    _loaded_packages: dict[str, Package | None] = field(default_factory=dict, init=False, repr=False)

    def log_prediction(
        self,
        prediction: Any,
        features: Any,
        confidence: float,
        actual: Any = None,
        request_id: str | None = None,
    ) -> str:
        """Log one prediction, with its outcome where that is known already, and return its identifier.

        Parameters
        ----------
        prediction : str
            One of the model's classes.
        features : mapping, Series, or frame of one row
        confidence : float between 0 and 1
            Probability of the predicted class.
        actual : str, optional
            What came true.
        request_id : str, optional
            The identifier to use, at most 36 signs; by it an outcome is joined later.

        Raises
        ------
        DataError
            When a value is not of this form.
        UsageError
            When nothing of the model is in production.
        """
        with self._open_state() as state:
            package, version, generation = self._target_version(state)
            classes = package.classes
            check_class("prediction", prediction, classes)
            if actual is not None:
                check_class("actual", actual, classes)
            if not 0.0 <= confidence <= 1.0:
                raise DataError(f"confidence: {confidence!r} is no probability; accepted: 0 to 1")
            one = request_id if request_id is not None else str(uuid.uuid4())
            if not 0 < len(one) <= 36:
                raise DataError(f"request_id: has {len(one)} signs; accepted: 1 to 36")
            rest = (1.0 - confidence) / max(len(classes) - 1, 1)
            said = {name: float(confidence) if name == str(prediction) else rest for name in classes}
            kept = json.dumps(loggable_features(features_as_json_values(features), package), ensure_ascii=False)
            row = store.PredictionRow(
                one, state.clock(), self.model_name, version, package.digest, generation, kept, str(prediction),
                json.dumps(said), float(confidence), "production", "api", 0, 1.0, None, None,
            )  # fmt: skip
            journal = store.PredictionWriter(state)
            try:
                journal.write([row], has_client_ids=request_id is not None)
            finally:
                journal.close()
        if actual is not None:
            self.log_outcome(one, actual)
        return one

    def log_outcome(self, prediction_id: str, actual: Any, *, source: str = "monitor") -> None:
        """Log what came true, a class of the model; the last one counts, and one without its prediction waits for it."""
        with self._open_state() as state:
            check_class("actual", actual, self._target_version(state)[0].classes)
            with state.writing() as connection:
                store.add_outcomes(connection, [(prediction_id, state.clock(), str(actual), source)])

    def calculate_performance_metrics(
        self, window_hours: float = 24, *, window_rows: int | None = None
    ) -> dict[str, Any]:
        """Return figures of the last hours: from outcomes where they are known, and as expected without them.

        Parameters
        ----------
        window_hours : float
        window_rows : int, optional
            The last so many predictions instead.

        Returns
        -------
        dict
            `accuracy`, `f1_score`, `precision`, `recall`, `roc_auc`, `pr_auc`, `log_loss`, `brier` (None
            without outcomes), `total_predictions`, `n_outcomes`, `coverage`, `intervals`, `expected`,
            `trusted`: whether what was expected agrees with what came true, by figure; `provisional`: whether
            outcomes may still come; `by_version`, `by_source`, `slices`.
        """
        with self._open_state() as state:
            window, judged = self._evaluate_window(state, window_hours, window_rows)
            delay_us = int(self.resolved_config.monitoring.label_delay_hours * HOUR_US)
            is_early = is_provisional(judged.realized, window, now=state.clock(), label_delay_us=delay_us)
        measured, expected = judged.realized, judged.estimated
        trusted = estimates_agree(expected, measured, min_outcomes=self.resolved_config.monitoring.min_rows)
        figures = {_METRIC_ALIASES.get(name, name): one.as_dict() for name, one in measured.metrics.items()}
        return {
            **{name: one["value"] for name, one in figures.items()},
            "total_predictions": measured.n_rows,
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "provisional": is_early,
            "intervals": {name: [one["low"], one["high"]] for name, one in figures.items()},
            "expected": {_METRIC_ALIASES.get(name, name): one.as_dict() for name, one in expected.metrics.items()},
            "trusted": {_METRIC_ALIASES.get(name, name): one for name, one in trusted.items()},
            "by_version": {name: one.as_dict() for name, one in judged.by_version.items()},
            "by_source": {name: one.as_dict() for name, one in judged.by_source.items()},
            "slices": [asdict(one) for one in judged.slices],
            "window": window_bounds(window.since, window.until),
        }

    def detect_data_drift(
        self,
        reference_data: pd.DataFrame | None = None,
        drift_threshold: float = DEFAULT_DRIFT_THRESHOLD,
        *,
        window_hours: float | None = None,
        window_rows: int | None = None,
        baseline: Literal["training", "previous_window"] | None = None,
    ) -> dict[str, Any]:
        """Return the verdict on each column of the last hours.

        Parameters
        ----------
        reference_data : DataFrame, optional
            Rows to compare with, which also allows the multivariate test; the training rows, as counted in the
            package, when None.
        drift_threshold : float
            Limit for numbers, in standard deviations of the reference; that for words is half of it. The
            default leaves both to conf/drift.
        window_hours : float, optional
            `monitoring.window_hours` when None.
        window_rows : int, optional
            The last so many predictions instead.
        baseline : "training" or "previous_window", optional
            What to compare with where no rows are given: the training rows, or the window of the same length before;
            `monitoring.baseline` when None.
        """
        with self._open_state() as state:
            package, _, _ = self._target_version(state)
            window = self._resolve_window(state, window_hours, window_rows)
            limits = override_numeric_threshold(self.resolved_config.drift, drift_threshold)
            before = baseline if baseline is not None else self.resolved_config.monitoring.baseline
            if reference_data is None:
                report = self._detect_drift(
                    state, package, window, limits, compares_to_previous=before == "previous_window"
                )
            else:
                with state.reading() as connection:
                    rows = store.window_predictions(connection, self.model_name, since=window.since, until=window.until)
                report = detect_drift_against_frame(rows, package, reference_data, self.resolved_config, limits)
        return {
            "drift_detected": report.verdict == "drift",
            "drifted_features": list(report.drifted_columns),
            "window": window_bounds(window.since, window.until),
            **report.as_dict(),
        }

    def detect_performance_degradation(
        self,
        baseline_metrics: Mapping[str, float] | None = None,
        degradation_threshold: float = 0.05,
        *,
        window_hours: float | None = None,
        window_rows: int | None = None,
    ) -> dict[str, Any]:
        """Return which figures worsened by more than a share of their baseline, and by more than chance.

        Parameters
        ----------
        baseline_metrics : mapping of metric to figure, optional
            The cross-validated figures of the package when None.
        degradation_threshold : float
            Relative worsening that counts: 0.05 is 5 %.
        window_hours : float, optional
            `monitoring.window_hours` when None.
        window_rows : int, optional
            The last so many predictions instead.
        """
        with self._open_state() as state:
            package, _, _ = self._target_version(state)
            window, judged = self._evaluate_window(state, window_hours, window_rows)
        measured = judged.realized
        own = {
            name: value for name, value in package.metrics.items() if name in ESTIMABLE_METRICS and value is not None
        }
        baseline = baseline_metrics if baseline_metrics is not None else own
        few = self.resolved_config.monitoring.min_rows
        found = detect_degradation(measured, baseline, threshold=degradation_threshold, min_outcomes=few)
        return {
            "degradation_detected": any(one.verdict == "degraded" for one in found),
            "degraded_metrics": [one.metric for one in found if one.verdict == "degraded"],
            "findings": [{**asdict(one), "verdict": one.verdict} for one in found],
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "window": window_bounds(window.since, window.until),
        }

    def get_monitoring_dashboard_data(self, hours: float = 24, *, window_rows: int | None = None) -> dict[str, Any]:
        """Return what a page shows of the last hours: traffic, classes, confidence, latency, by hour as well."""
        with self._open_state() as state:
            digest = self._target_version(state)[0].digest if self.version is not None else None
            window = self._resolve_window(state, hours, window_rows)
            return traffic_summary(state, self.model_name, window, self.load_package, digest=digest)

    def generate_monitoring_report(
        self, window_hours: float | None = None, *, window_rows: int | None = None
    ) -> dict[str, Any]:
        """Return everything about one window: traffic, drift, performance, degradation, as plain values."""
        hours = window_hours if window_hours is not None else self.resolved_config.monitoring.window_hours
        return {
            "model": self.model_name,
            "dashboard": self.get_monitoring_dashboard_data(hours, window_rows=window_rows),
            "drift": self.detect_data_drift(window_hours=hours, window_rows=window_rows),
            "performance": self.calculate_performance_metrics(hours, window_rows=window_rows),
            "degradation": self.detect_performance_degradation(window_hours=hours, window_rows=window_rows),
        }

    @contextmanager
    def open_synced_state(self) -> Iterator[tuple[State, Package]]:
        """Yield the state database and the package in production, with the hourly counts up to date."""
        with self._open_state() as state:
            package, _, _ = self._target_version(state)
            roll_up(state, self.model_name, self.load_package)
            yield state, package

    def rebuild(self) -> int:
        """Make the hourly counts anew from the log; return how many predictions there were.

        Raises
        ------
        UsageError
            When no such model is registered.
        """
        with self._open_state() as state:
            with state.reading() as connection:
                if not store.read_versions(connection, self.model_name):
                    raise UsageError(
                        f"{self.model_name}: no such model is registered; `mlops models list` shows those that are"
                    )
            return rebuild_rollups(state, self.model_name, self.load_package)

    @property
    def _root(self) -> Path:
        return (self.root if self.root is not None else find_project_root()).resolve()

    @property
    def resolved_config(self) -> Config:
        """The limits and windows that it goes by."""
        return self.config if self.config is not None else load_params(self._root / "params.yaml")

    @contextmanager
    def _open_state(self) -> Iterator[State]:
        more = {} if self.clock is None else {"clock": self.clock}
        state = store.open_state(self._root, **more)
        try:
            yield state
        finally:
            state.close()

    def load_package(self, digest: str) -> Package | None:
        """Return the package with a digest, read once; None where it is not sound."""
        if digest not in self._loaded_packages:
            try:
                self._loaded_packages[digest] = PackageStore(self._root / paths.PACKAGES).load(digest)
            except IntegrityError:
                self._loaded_packages[digest] = None
        return self._loaded_packages[digest]

    def _target_version(self, state: State) -> tuple[Package, int, int]:
        with state.reading() as connection:
            found = store.current_deployment(connection, self.model_name)
            digests = {one.version: one.digest for one in store.read_versions(connection, self.model_name)}
        version = self.version if self.version is not None else found.version("Production")
        if version is None:
            raise UsageError(
                f"{self.model_name}: no version is in production, so there is nothing to watch; run `mlops promote VERSION`"
            )
        if version not in digests:
            raise UsageError(f"{self.model_name}: no version {version}; known: {', '.join(map(str, sorted(digests)))}")
        package = self.load_package(digests[version])
        if package is None:
            raise IntegrityError(
                f"{self.model_name}: the package of version {version} is not sound; run `mlops verify`"
            )
        return package, version, found.generation

    def _resolve_window(self, state: State, hours: float | None, n_rows: int | None) -> Window:
        """Return the last rows or hours, with everything counted that the log has."""
        length = hours if hours is not None else self.resolved_config.monitoring.window_hours
        if not 0 < length <= _MAX_WINDOW_HOURS:
            raise UsageError(f"window: {length:g} hours; accepted: more than 0, at most {_MAX_WINDOW_HOURS:,}")
        if n_rows is not None and n_rows < 1:
            raise UsageError(f"window: {n_rows} rows; accepted: 1 or more")
        roll_up(state, self.model_name, self.load_package)
        until = state.clock() + 1
        if n_rows is not None:
            return window_by_rows(state, self.model_name, n_rows, until=until)
        return window_by_time(state, self.model_name, since=until - int(length * HOUR_US), until=until)

    def _detect_drift(
        self, state: State, package: Package, window: Window, thresholds: DriftConfig, *, compares_to_previous: bool
    ) -> DriftReport:
        own = {one.name: one.drift_limit for one in package.schema.columns if one.drift_limit is not None}
        more: dict[str, Any] = {
            "min_rows": self.resolved_config.monitoring.min_rows,
            "limits": own,
            "importance": read_feature_importance(self._root, package.digest),
        }
        length, n_windows = window.until - window.since, thresholds.consecutive_windows + compares_to_previous
        windows = [window] + [
            window_by_time(
                state, self.model_name, since=window.since - back * length, until=window.until - back * length
            )
            for back in range(1, n_windows)
        ]
        counts = [window_counts(state, self.model_name, package, one) for one in windows]
        reference = loggable_reference(package)
        judged = [
            detect_drift(
                reference, counts[at], thresholds, baseline=counts[at + 1] if compares_to_previous else None, **more
            )
            for at in range(thresholds.consecutive_windows)
        ]
        return require_consecutive_windows(judged[0], judged[1:], thresholds)

    def _evaluate_window(
        self, state: State, hours: float | None, n_rows: int | None
    ) -> tuple[Window, PerformanceReport]:
        """Return a window and the performance of the version in production in it."""
        package, _, _ = self._target_version(state)
        window, settings = self._resolve_window(state, hours, n_rows), self.resolved_config
        judged = evaluate_window(
            state, self.model_name, package, window, settings.monitoring, packages=self.load_package, seed=settings.seed
        )
        return window, judged
