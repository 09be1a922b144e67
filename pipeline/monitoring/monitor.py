"""Watch one live model: log predictions and outcomes, and judge drift and performance over any window."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.config.load import load_params
from pipeline.errors import DataError, IntegrityError, UsageError
from pipeline.monitoring.handed import drift_from_rows
from pipeline.monitoring.judging import DEFAULT_LIMIT, find_drift, hold, with_threshold
from pipeline.monitoring.logged import logged_reference
from pipeline.monitoring.outcomes import Judged, is_provisional, judge_window
from pipeline.monitoring.performance import ESTIMABLE, find_degradation, is_trusted
from pipeline.monitoring.rollups import HOUR_US, rebuild, roll_up
from pipeline.monitoring.traffic import traffic_of
from pipeline.monitoring.values import check_class, kept_features, known_importance, plain_row, window_words
from pipeline.monitoring.windows import Window, window_counts, window_of, window_of_rows
from pipeline.package.store import PackageStore
from pipeline.tracking.store import find_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from pipeline.config.groups.live import DriftConfig
    from pipeline.config.types import Config
    from pipeline.monitoring.findings import DriftReport
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["ModelMonitor"]

_PACKAGES = Path("state/packages")
_MAX_HOURS = 1_000_000
_NAMES = {"f1_weighted": "f1_score"}  # as scikit-learn's users call it


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
    _packages: dict[str, Package | None] = field(default_factory=dict, init=False, repr=False)

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
        with self._state() as state:
            package, version, generation = self._production(state)
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
            kept = json.dumps(kept_features(plain_row(features), package), ensure_ascii=False)
            row = store.PredictionRow(
                one, state.clock(), self.model_name, version, package.digest, generation, kept, str(prediction),
                json.dumps(said), float(confidence), "champion", "champion", 0, 1.0, None, None,
            )  # fmt: skip
            journal = store.Journal(state)
            try:
                journal.append([row], has_chosen_ids=request_id is not None)
            finally:
                journal.close()
        if actual is not None:
            self.log_outcome(one, actual)
        return one

    def log_outcome(self, prediction_id: str, actual: Any, *, source: str = "monitor") -> None:
        """Log what came true, a class of the model; the last one counts, and one without its prediction waits for it."""
        with self._state() as state:
            check_class("actual", actual, self._production(state)[0].classes)
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
            outcomes may still come; `by_version`, `by_variant`, `slices`.
        """
        with self._state() as state:
            window, judged = self._performance(state, window_hours, window_rows)
            delay_us = int(self.settings.monitoring.label_delay_hours * HOUR_US)
            is_early = is_provisional(judged.measured, window, now=state.clock(), label_delay_us=delay_us)
        measured, expected = judged.measured, judged.expected
        trusted = is_trusted(expected, measured, min_outcomes=self.settings.monitoring.min_rows)
        figures = {_NAMES.get(name, name): one.as_dict() for name, one in measured.figures.items()}
        return {
            **{name: one["value"] for name, one in figures.items()},
            "total_predictions": measured.n_rows,
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "provisional": is_early,
            "intervals": {name: [one["low"], one["high"]] for name, one in figures.items()},
            "expected": {_NAMES.get(name, name): one.as_dict() for name, one in expected.figures.items()},
            "trusted": {_NAMES.get(name, name): one for name, one in trusted.items()},
            "by_version": {name: one.as_dict() for name, one in judged.by_version.items()},
            "by_variant": {name: one.as_dict() for name, one in judged.by_variant.items()},
            "slices": [asdict(one) for one in judged.slices],
            "window": window_words(window.since, window.until),
        }

    def detect_data_drift(
        self,
        reference_data: pd.DataFrame | None = None,
        drift_threshold: float = DEFAULT_LIMIT,
        *,
        window_hours: float | None = None,
        window_rows: int | None = None,
        baseline: Literal["training", "previous"] | None = None,
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
        baseline : "training" or "previous", optional
            What to compare with where no rows are given: the training rows, or the window of the same length before;
            `monitoring.baseline` when None.
        """
        with self._state() as state:
            package, _, _ = self._production(state)
            window = self._window(state, window_hours, window_rows)
            limits = with_threshold(self.settings.drift, drift_threshold)
            before = baseline if baseline is not None else self.settings.monitoring.baseline
            if reference_data is None:
                report = self._drift(state, package, window, limits, is_relative=before == "previous")
            else:
                with state.reading() as connection:
                    rows = store.window_predictions(connection, self.model_name, since=window.since, until=window.until)
                report = drift_from_rows(rows, package, reference_data, self.settings, limits)
        return {
            "drift_detected": report.verdict == "drift",
            "drifted_features": list(report.drifted),
            "window": window_words(window.since, window.until),
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
        with self._state() as state:
            package, _, _ = self._production(state)
            window, judged = self._performance(state, window_hours, window_rows)
        measured = judged.measured
        own = {name: value for name, value in package.metrics.items() if name in ESTIMABLE and value is not None}
        baseline = baseline_metrics if baseline_metrics is not None else own
        few = self.settings.monitoring.min_rows
        found = find_degradation(measured, baseline, limit=degradation_threshold, min_outcomes=few)
        return {
            "degradation_detected": any(one.verdict == "degraded" for one in found),
            "degraded_metrics": [one.metric for one in found if one.verdict == "degraded"],
            "findings": [{**asdict(one), "verdict": one.verdict} for one in found],
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "window": window_words(window.since, window.until),
        }

    def get_monitoring_dashboard_data(self, hours: float = 24, *, window_rows: int | None = None) -> dict[str, Any]:
        """Return what a page shows of the last hours: traffic, classes, confidence, latency, by hour as well."""
        with self._state() as state:
            digest = self._production(state)[0].digest if self.version is not None else None
            window = self._window(state, hours, window_rows)
            return traffic_of(state, self.model_name, window, self.package, digest=digest)

    def generate_monitoring_report(
        self, window_hours: float | None = None, *, window_rows: int | None = None
    ) -> dict[str, Any]:
        """Return everything about one window: traffic, drift, performance, degradation, as plain values."""
        hours = window_hours if window_hours is not None else self.settings.monitoring.window_hours
        return {
            "model": self.model_name,
            "dashboard": self.get_monitoring_dashboard_data(hours, window_rows=window_rows),
            "drift": self.detect_data_drift(window_hours=hours, window_rows=window_rows),
            "performance": self.calculate_performance_metrics(hours, window_rows=window_rows),
            "degradation": self.detect_performance_degradation(window_hours=hours, window_rows=window_rows),
        }

    @contextmanager
    def watching(self) -> Iterator[tuple[State, Package]]:
        """Yield the state database and the package in production, with the hourly counts up to date."""
        with self._state() as state:
            package, _, _ = self._production(state)
            roll_up(state, self.model_name, self.package)
            yield state, package

    def rebuild(self) -> int:
        """Make the hourly counts anew from the log; return how many predictions there were.

        Raises
        ------
        UsageError
            When no such model is registered.
        """
        with self._state() as state:
            with state.reading() as connection:
                if not store.all_versions(connection, self.model_name):
                    raise UsageError(
                        f"{self.model_name}: no such model is registered; `mlops models list` shows those that are"
                    )
            return rebuild(state, self.model_name, self.package)

    @property
    def _root(self) -> Path:
        return (self.root if self.root is not None else find_root()).resolve()

    @property
    def settings(self) -> Config:
        """The limits and windows that it goes by."""
        return self.config if self.config is not None else load_params(self._root / "params.yaml")

    @contextmanager
    def _state(self) -> Iterator[State]:
        more = {} if self.clock is None else {"clock": self.clock}
        state = store.open_state(self._root, **more)
        try:
            yield state
        finally:
            state.close()

    def package(self, digest: str) -> Package | None:
        """Return the package with a digest, read once; None where it is not sound."""
        if digest not in self._packages:
            try:
                self._packages[digest] = PackageStore(self._root / _PACKAGES).load(digest)
            except IntegrityError:
                self._packages[digest] = None
        return self._packages[digest]

    def _production(self, state: State) -> tuple[Package, int, int]:
        with state.reading() as connection:
            found = store.served(connection, self.model_name)
            digests = {one.version: one.digest for one in store.all_versions(connection, self.model_name)}
        version = self.version if self.version is not None else found.version("Production")
        if version is None:
            raise UsageError(
                f"{self.model_name}: no version is in production, so there is nothing to watch; run `mlops promote VERSION`"
            )
        if version not in digests:
            raise UsageError(f"{self.model_name}: no version {version}; known: {', '.join(map(str, sorted(digests)))}")
        package = self.package(digests[version])
        if package is None:
            raise IntegrityError(
                f"{self.model_name}: the package of version {version} is not sound; run `mlops verify`"
            )
        return package, version, found.generation

    def _window(self, state: State, hours: float | None, n_rows: int | None) -> Window:
        """Return the last rows or hours, with everything counted that the log has."""
        length = hours if hours is not None else self.settings.monitoring.window_hours
        if not 0 < length <= _MAX_HOURS:
            raise UsageError(f"window: {length:g} hours; accepted: more than 0, at most {_MAX_HOURS:,}")
        if n_rows is not None and n_rows < 1:
            raise UsageError(f"window: {n_rows} rows; accepted: 1 or more")
        roll_up(state, self.model_name, self.package)
        until = state.clock() + 1
        if n_rows is not None:
            return window_of_rows(state, self.model_name, n_rows, until=until)
        return window_of(state, self.model_name, since=until - int(length * HOUR_US), until=until)

    def _drift(
        self, state: State, package: Package, window: Window, limits: DriftConfig, *, is_relative: bool
    ) -> DriftReport:
        own = {one.name: one.drift_limit for one in package.schema.columns if one.drift_limit is not None}
        more: dict[str, Any] = {
            "min_rows": self.settings.monitoring.min_rows,
            "limits": own,
            "importance": known_importance(self._root, package.digest),
        }
        length, n_windows = window.until - window.since, limits.hold_windows + is_relative
        windows = [window] + [
            window_of(state, self.model_name, since=window.since - back * length, until=window.until - back * length)
            for back in range(1, n_windows)
        ]
        counts = [window_counts(state, self.model_name, package, one) for one in windows]
        reference = logged_reference(package)
        judged = [
            find_drift(reference, counts[at], limits, baseline=counts[at + 1] if is_relative else None, **more)
            for at in range(limits.hold_windows)
        ]
        return hold(judged[0], judged[1:], limits)

    def _performance(self, state: State, hours: float | None, n_rows: int | None) -> tuple[Window, Judged]:
        """Return a window and the performance of the version in production in it."""
        package, _, _ = self._production(state)
        window, settings = self._window(state, hours, n_rows), self.settings
        judged = judge_window(
            state, self.model_name, package, window, settings.monitoring, packages=self.package, seed=settings.seed
        )
        return window, judged
