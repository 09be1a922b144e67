"""Log predictions and outcomes of a model, and report drift and performance of any window of its log."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.errors import IntegrityError, UsageError
from pipeline.monitoring.frame_window_view import FrameWindowView
from pipeline.monitoring.log import (
    PredictionLog,
    WindowTallies,
    rebuild_rollups,
    traffic_summary,
    window_by_rows,
    window_by_time,
)
from pipeline.monitoring.log.prediction_record import MonitoredVersion, check_class, log_once, make_prediction_row
from pipeline.monitoring.window_view import LogWindowView
from pipeline.package.package_store import PackageStore
from pipeline.project import paths
from pipeline.project.actor import current_actor
from pipeline.project.root import find_project_root
from pipeline.schema.frame_input import as_frame
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.monitoring.log import Window
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["ModelMonitor", "mean_importance"]

_MAX_WINDOW_HOURS = 1_000_000


@dataclass(frozen=True)
class ModelMonitor:
    """Monitor of the version of a model that is in production.

    It reads the log that servers write, from any process. It blocks no writer for longer than one short transaction.

    Parameters
    ----------
    model_name : str
        A registered model.
    root : Path, optional
        Folder of the project; found from the current folder when None.
    config : Config, optional
        Thresholds and windows; those of the project's params.yaml, read once, when None.
    clock : callable, optional
        Returns the current moment in microseconds since 1970, UTC; the clock of the database when None.
    version : int, optional
        The monitored version; the one in production when None.

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
    _packages: dict[str, Package | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def log_prediction(
        self,
        prediction: Any,
        features: Any,
        confidence: float,
        actual: Any = None,
        request_id: str | None = None,
    ) -> str:
        """Log one prediction, with its outcome when it is known already, and return its identifier.

        Parameters
        ----------
        prediction : str
            One of the model's classes.
        features : mapping, Series, or frame of one row of any library
        confidence : float between 0 and 1
            Probability of the predicted class.
        actual : str, optional
            The outcome, one of the model's classes.
        request_id : str, optional
            The identifier to use, at most 36 characters, unique among all models and versions; outcomes name it.
            A call with an identifier that the log has is a retry: it changes nothing when its values are the same.

        Raises
        ------
        DataError
            When a value has another form.
        Conflict
            When `request_id` belongs to another prediction, or to one with another outcome.
        UsageError
            When no version of the model is in production.
        """
        with self._open_state() as state:
            monitored = self._target_version(state)
            outcome = None if actual is None else str(actual)
            if actual is not None:
                check_class("actual", actual, monitored.package.classes)
            row = make_prediction_row(
                monitored,
                prediction,
                features,
                confidence=confidence,
                prediction_id=request_id,
                predicted_at=state.clock(),
            )
            log_once(state, row, outcome=outcome, has_client_id=bool(request_id), chosen_version=self.version)
        return row.prediction_id

    def log_outcome(self, prediction_id: str, actual: Any, *, source: str = "monitor") -> None:
        """Log the outcome of a prediction, a class of the model; it may arrive first, and the last one counts."""
        with self._open_state() as state:
            check_class("actual", actual, self._target_version(state).package.classes)
            with state.writing() as connection:
                rows = [(prediction_id, state.clock(), str(actual), source)]
                store.add_outcomes(connection, rows, caller=current_actor())

    def calculate_performance_metrics(
        self, window_hours: float = 24, *, window_rows: int | None = None
    ) -> dict[str, Any]:
        """Return the metrics of the last hours: realized from outcomes, and estimated without them.

        Parameters
        ----------
        window_hours : float
        window_rows : int, optional
            The last so many predictions instead.

        Returns
        -------
        dict
            `accuracy`, `f1_score`, `precision`, `recall`, `roc_auc`, `pr_auc`, `log_loss`, `brier` (None
            without outcomes), `total_predictions`, `n_outcomes`, `coverage`, `intervals`, `estimated`;
            `estimates_agree`: whether the intervals of estimated and realized metrics overlap;
            `provisional`: whether more outcomes may still arrive; `by_version`, `by_source`, `slices`.
        """
        with self.open_window(window_hours, window_rows=window_rows) as view:
            return view.performance_values()

    def detect_data_drift(
        self,
        reference_data: Any = None,
        drift_threshold: float | None = None,
        *,
        window_hours: float | None = None,
        window_rows: int | None = None,
        baseline: Literal["training", "previous_window"] | None = None,
    ) -> dict[str, Any]:
        """Return the drift verdict on each column of the last hours.

        Parameters
        ----------
        reference_data : frame of any library, optional
            Rows to compare with, which also allow the multivariate test; the training rows, as counted in the
            package, when None.
        drift_threshold : float, optional
            Threshold of numeric columns, in standard deviations of the reference; categorical columns get half of
            it. The thresholds of conf/drift when None.
        window_hours : float, optional
            `monitoring.window_hours` when None.
        window_rows : int, optional
            The last so many predictions instead.
        baseline : "training" or "previous_window", optional
            What to compare with when no rows are given: the training rows, or the window of the same length before;
            `monitoring.baseline` when None.
        """
        reference = None if reference_data is None else as_frame(reference_data, name="reference_data")
        with self.open_window(window_hours, window_rows=window_rows) as view:
            report = view.detect_drift(reference, drift_threshold=drift_threshold, baseline=baseline)
            return view.drift_values(report)

    def detect_performance_degradation(
        self,
        baseline_metrics: Mapping[str, float] | None = None,
        degradation_threshold: float = 0.05,
        *,
        window_hours: float | None = None,
        window_rows: int | None = None,
    ) -> dict[str, Any]:
        """Return the metrics that are worse than their baseline, by more than a threshold and significantly.

        Parameters
        ----------
        baseline_metrics : mapping of metric to value, optional
            The cross-validated metrics of the package when None.
        degradation_threshold : float
            Relative worsening that counts: 0.05 is 5 %.
        window_hours : float, optional
            `monitoring.window_hours` when None.
        window_rows : int, optional
            The last so many predictions instead.
        """
        with self.open_window(window_hours, window_rows=window_rows) as view:
            return view.degradation_values(view.detect_degradation(baseline_metrics, threshold=degradation_threshold))

    def get_monitoring_dashboard_data(self, hours: float = 24, *, window_rows: int | None = None) -> dict[str, Any]:
        """Return the traffic of the last hours: predictions by class, version, source and hour, confidence, latency."""
        with self._open_state() as state:
            digest = self._target_version(state).package.digest if self.version is not None else None
            log = self._prediction_log(state)
            log.roll_up()
            return traffic_summary(WindowTallies(log, self._resolve_window(log, hours, window_rows)), digest=digest)

    def generate_monitoring_report(
        self,
        window_hours: float | None = None,
        *,
        window_rows: int | None = None,
        reference_data: Any = None,
    ) -> dict[str, Any]:
        """Return traffic, drift, performance and degradation of one window as plain values.

        Parameters
        ----------
        window_hours : float, optional
            `monitoring.window_hours` when None.
        window_rows : int, optional
            The last so many predictions instead.
        reference_data : frame of any library, optional
            Rows to compare with; the declared baseline when None.
        """
        reference = None if reference_data is None else as_frame(reference_data, name="reference_data")
        with self.open_window(window_hours, window_rows=window_rows) as view:
            drift = None if reference is None else view.detect_drift(reference)
            return view.report(drift=drift)

    def evaluate_frame(self, frame: Any, reference_data: Any = None) -> dict[str, Any]:
        """Return the report of the rows of a frame, with the keys of `generate_monitoring_report`.

        Parameters
        ----------
        frame : frame of any library
            Rows with columns of the model; outcomes in the target column, where the frame has it.
        reference_data : frame of any library, optional
            Rows to compare with; the training rows when None.

        Raises
        ------
        DataError
            When a frame has no rows, or no column of the model.
        UsageError
            When no version of the model is in production.
        """
        with self._open_state() as state:
            package = self._target_version(state).package
        view = FrameWindowView(
            self.model_name,
            package,
            self.resolved_config,
            importance=mean_importance(package),
            frame=as_frame(frame, name="prediction_data"),
            reference_frame=None if reference_data is None else as_frame(reference_data, name="reference_data"),
        )
        return view.report()

    @contextmanager
    def open_window(
        self, window_hours: float | None = None, *, window_rows: int | None = None
    ) -> Iterator[LogWindowView]:
        """Yield the view of a window, on a database that is open until the end of the context.

        Everything that is asked of the view covers the same rows.

        Parameters
        ----------
        window_hours : float, optional
            `monitoring.window_hours` when None.
        window_rows : int, optional
            The last so many predictions instead.

        Raises
        ------
        UsageError
            When no version of the model is in production, or the window is empty or too long.
        """
        with self.open_log() as (log, package):
            window = self._resolve_window(log, window_hours, window_rows)
            yield self.view(log, package, window)

    def view(self, log: PredictionLog, package: Package, window: Window) -> LogWindowView:
        """Return the view of any window of an open log."""
        return LogWindowView(
            self.model_name,
            package,
            self.resolved_config,
            importance=mean_importance(package),
            log=log,
            window=window,
            now=window.until - 1,
            is_single_version=self.version is not None,
        )

    @contextmanager
    def open_log(self) -> Iterator[tuple[PredictionLog, Package]]:
        """Yield the prediction log, with hourly counts up to date, and the package in production."""
        with self._open_state() as state:
            package = self._target_version(state).package
            log = self._prediction_log(state)
            log.roll_up()
            yield log, package

    def rebuild(self) -> int:
        """Recount the hourly counts from the log; return the number of predictions.

        Raises
        ------
        UsageError
            When no such model is registered.
        """
        with self._open_state() as state:
            with state.reading() as connection:
                if not store.read_versions(connection, self.model_name):
                    raise UsageError(
                        f"{self.model_name}: no such model is registered; `mlops models list` shows the registered ones"
                    )
            return rebuild_rollups(state, self.model_name, self.load_package)

    @cached_property
    def resolved_root(self) -> Path:
        """Folder of the project."""
        return (self.root if self.root is not None else find_project_root()).resolve()

    @cached_property
    def resolved_config(self) -> Config:
        """Thresholds and windows, read once."""
        return self.config if self.config is not None else load_params(self.resolved_root / paths.PARAMS)

    def load_package(self, digest: str) -> Package | None:
        """Return the package with a digest, loaded once; None when it is missing or damaged."""
        if digest not in self._packages:
            try:
                self._packages[digest] = PackageStore(self.resolved_root / paths.PACKAGES).load(digest)
            except IntegrityError:
                self._packages[digest] = None
        return self._packages[digest]

    @contextmanager
    def _open_state(self) -> Iterator[State]:
        root = self.resolved_root
        state = store.open_state(root) if self.clock is None else store.open_state(root, clock=self.clock)
        try:
            yield state
        finally:
            state.close()

    def _prediction_log(self, state: State) -> PredictionLog:
        return PredictionLog(state, self.model_name, self.load_package, sources=self.resolved_config.monitoring.sources)

    def _target_version(self, state: State) -> MonitoredVersion:
        with state.reading() as connection:
            deployment = store.current_deployment(connection, self.model_name)
            digests = {known.version: known.digest for known in store.read_versions(connection, self.model_name)}
            version = self.version if self.version is not None else deployment.version("Production")
            if version is None:
                hint = store.deployment_hint(connection, self.model_name)
                raise UsageError(f"{self.model_name}: no version is in Production; {hint}")
        if version not in digests:
            raise UsageError(f"{self.model_name}: no version {version}; known: {', '.join(map(str, sorted(digests)))}")
        package = self.load_package(digests[version])
        if package is None:
            raise IntegrityError(f"{self.model_name}: the package of version {version} is damaged; run `mlops verify`")
        return MonitoredVersion(self.model_name, version, package, deployment.generation)

    def _resolve_window(self, log: PredictionLog, hours: float | None, n_rows: int | None) -> Window:
        """Return the window of the last rows or hours up to now."""
        length = hours if hours is not None else self.resolved_config.monitoring.window_hours
        if not 0 < length <= _MAX_WINDOW_HOURS:
            raise UsageError(
                f"window: {length:g} hours is out of range; expected more than 0, at most {_MAX_WINDOW_HOURS:,}"
            )
        if n_rows is not None and n_rows < 1:
            raise UsageError(f"window: {n_rows} rows is out of range; expected 1 or more")
        until = log.state.clock() + 1
        if n_rows is not None:
            return window_by_rows(log, n_rows, until=until)
        return window_by_time(log, since=until - int(length * HOUR_US), until=until)


def mean_importance(package: Package) -> dict[str, float]:
    """Return the importance of each feature on test rows; empty for a rule baseline."""
    return {} if package.importance is None else {name: sums.mean for name, sums in package.importance.loss.items()}
