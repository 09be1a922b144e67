"""Watch one live model: log predictions and outcomes, and judge drift and performance over any window."""

from __future__ import annotations

import json
import math
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.config.load import load_params
from pipeline.errors import DataError, IntegrityError, UsageError
from pipeline.monitoring.counting import count_window
from pipeline.monitoring.judging import DEFAULT_LIMIT, find_drift, hold, with_threshold
from pipeline.monitoring.multivariate import domain_auc
from pipeline.monitoring.outcomes import judge_rows
from pipeline.monitoring.performance import ESTIMABLE, find_degradation, is_trusted
from pipeline.monitoring.rollups import HOUR_US, LoggedRows, logged_reference, rebuild, roll_up, window_counts
from pipeline.monitoring.values import kept_features, known_importance, moment, n_by_word, plain_row, window_words
from pipeline.package.reference import describe
from pipeline.package.store import PackageStore
from pipeline.tracking.store import find_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from pipeline.config.groups.live import DriftConfig
    from pipeline.config.types import Config
    from pipeline.monitoring.findings import DriftReport
    from pipeline.monitoring.performance import Performance
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["ModelMonitor"]

_PACKAGES = Path("state/packages")
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

    Examples
    --------
    >>> monitor = ModelMonitor("personality_model")  # doctest: +SKIP
    >>> monitor.calculate_performance_metrics(window_hours=24)["accuracy"]  # doctest: +SKIP
    """

    model_name: str
    root: Path | None = None
    config: Config | None = None
    clock: Callable[[], int] | None = None
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
            for what, word in (("prediction", prediction), ("actual", actual)):
                if str(word) not in classes and not (what == "actual" and word is None):
                    raise DataError(f"{what}: {word!r} is no class; accepted: {', '.join(classes)}")
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
                journal.append([row])
            finally:
                journal.close()
        if actual is not None:
            self.log_outcome(one, actual)
        return one

    def log_outcome(self, prediction_id: str, actual: Any, *, source: str = "monitor") -> None:
        """Log what came true; the last one counts, and one whose prediction is not known yet waits for it."""
        with self._state() as state, state.writing() as connection:
            store.add_outcomes(connection, [(prediction_id, state.clock(), str(actual), source)])

    def calculate_performance_metrics(self, window_hours: float = 24) -> dict[str, Any]:
        """Return figures of the last hours: from outcomes where they are known, and as expected without them.

        Returns
        -------
        dict
            `accuracy`, `f1_score`, `precision`, `recall`, `roc_auc`, `pr_auc`, `log_loss`, `brier` (None
            without outcomes), `total_predictions`, `n_outcomes`, `coverage`, `intervals`, `expected` and
            `trusted`: whether what was expected agrees with what came true, by figure.
        """
        with self._state() as state:
            since, until = self._window(state, window_hours)
            measured, expected = self._performance(state, since, until)
        figures = {_NAMES.get(name, name): one.as_dict() for name, one in measured.figures.items()}
        return {
            **{name: one["value"] for name, one in figures.items()},
            "total_predictions": measured.n_rows,
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "intervals": {name: [one["low"], one["high"]] for name, one in figures.items()},
            "expected": {_NAMES.get(name, name): one.as_dict() for name, one in expected.figures.items()},
            "trusted": {_NAMES.get(name, name): one for name, one in is_trusted(expected, measured).items()},
            "window": window_words(since, until),
        }

    def detect_data_drift(
        self,
        reference_data: pd.DataFrame | None = None,
        drift_threshold: float = DEFAULT_LIMIT,
        *,
        window_hours: float | None = None,
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
        """
        with self._state() as state:
            package, _, _ = self._production(state)
            hours = window_hours if window_hours is not None else self.settings.monitoring.window_hours
            since, until = self._window(state, hours)
            limits = with_threshold(self.settings.drift, drift_threshold)
            if reference_data is None:
                report = self._drift(state, package, since, until, limits)
            else:
                report = self._drift_from(state, package, reference_data, (since, until), limits)
        return {
            "drift_detected": report.verdict == "drift",
            "drifted_features": list(report.drifted),
            "window": window_words(since, until),
            **report.as_dict(),
        }

    def detect_performance_degradation(
        self,
        baseline_metrics: Mapping[str, float] | None = None,
        degradation_threshold: float = 0.05,
        *,
        window_hours: float | None = None,
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
        """
        with self._state() as state:
            package, _, _ = self._production(state)
            hours = window_hours if window_hours is not None else self.settings.monitoring.window_hours
            since, until = self._window(state, hours)
            measured, _ = self._performance(state, since, until)
        own = {name: value for name, value in package.metrics.items() if name in ESTIMABLE and value is not None}
        baseline = baseline_metrics if baseline_metrics is not None else own
        found = find_degradation(measured, baseline, limit=degradation_threshold)
        return {
            "degradation_detected": any(one.verdict == "degraded" for one in found),
            "degraded_metrics": [one.metric for one in found if one.verdict == "degraded"],
            "findings": [{**asdict(one), "verdict": one.verdict} for one in found],
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "window": window_words(since, until),
        }

    def get_monitoring_dashboard_data(self, hours: float = 24) -> dict[str, Any]:
        """Return what a page shows of the last hours: traffic, classes, confidence, latency, by hour as well."""
        with self._state() as state:
            since, until = self._window(state, hours)
            with state.reading() as connection:
                rows = store.window_predictions(connection, self.model_name, since=since, until=until)
        by_hour: dict[int, int] = {}
        for row in rows:
            by_hour[row.at - row.at % HOUR_US] = by_hour.get(row.at - row.at % HOUR_US, 0) + 1
        latencies = np.array([row.latency_us for row in rows if row.latency_us > 0]) / 1000
        return {
            "total_predictions": len(rows),
            "average_confidence": float(np.mean([row.confidence for row in rows])) if rows else None,
            "predictions_by_class": n_by_word(row.prediction for row in rows),
            "predictions_by_hour": [{"at": moment(at), "n": n} for at, n in sorted(by_hour.items())],
            "predictions_by_version": n_by_word(row.version for row in rows),
            "n_outcomes": sum(row.outcome is not None for row in rows),
            "latency_ms": {str(q): float(np.percentile(latencies, q)) for q in (50, 95, 99)} if len(latencies) else {},
            "window": window_words(since, until),
        }

    def generate_monitoring_report(self, window_hours: float | None = None) -> dict[str, Any]:
        """Return everything about one window: traffic, drift, performance, degradation, as plain values."""
        hours = window_hours if window_hours is not None else self.settings.monitoring.window_hours
        return {
            "model": self.model_name,
            "dashboard": self.get_monitoring_dashboard_data(hours),
            "drift": self.detect_data_drift(window_hours=hours),
            "performance": self.calculate_performance_metrics(hours),
            "degradation": self.detect_performance_degradation(window_hours=hours),
        }

    @contextmanager
    def watching(self) -> Iterator[tuple[State, Package]]:
        """Yield the state database and the package in production, with the hourly counts up to date."""
        with self._state() as state:
            package, _, _ = self._production(state)
            roll_up(state, self.model_name, self.package)
            yield state, package

    def rebuild(self) -> int:
        """Make the hourly counts anew from the log; return how many predictions there were."""
        with self._state() as state:
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
        version = found.version("Production")
        if version is None:
            raise UsageError(
                f"{self.model_name}: no version is in production, so there is nothing to watch; run `mlops promote VERSION`"
            )
        package = self.package(found.digests["Production"])
        if package is None:
            raise IntegrityError(
                f"{self.model_name}: the package of version {version} is not sound; run `mlops verify`"
            )
        return package, version, found.generation

    def _window(self, state: State, hours: float) -> tuple[int, int]:
        if not (math.isfinite(hours) and hours > 0):
            raise UsageError(f"window: {hours} hours; accepted: more than 0")
        until = state.clock() + 1
        return until - int(hours * HOUR_US), until

    def _drift(self, state: State, package: Package, since: int, until: int, limits: DriftConfig) -> DriftReport:
        roll_up(state, self.model_name, self.package)
        own = {one.name: one.drift_limit for one in package.schema.columns if one.drift_limit is not None}
        more: dict[str, Any] = {
            "min_rows": self.settings.monitoring.min_rows,
            "limits": own,
            "importance": known_importance(self._root, package.digest),
        }
        reference, length = logged_reference(package), until - since
        judged = [
            find_drift(
                reference,
                window_counts(
                    state, self.model_name, package, since=since - back * length, until=until - back * length
                ),
                limits,
                **more,
            )
            for back in range(limits.hold_windows)
        ]
        return hold(judged[0], judged[1:], limits)

    def _drift_from(
        self, state: State, package: Package, rows: pd.DataFrame, window: tuple[int, int], limits: DriftConfig
    ) -> DriftReport:
        """Compare with rows that somebody hands in, column by column and together."""
        import pandas as pd

        with state.reading() as connection:
            logged = store.window_predictions(connection, self.model_name, since=window[0], until=window[1])
        live = LoggedRows(logged, package).features()
        schema = replace(
            package.schema,
            columns=tuple(
                one for one in package.schema.columns if one.name in rows and one.store == "full" and one.name in live
            ),
        )
        empty = np.zeros(len(rows))
        predicted = np.full(len(rows), package.classes[0])
        reference = describe(
            rows, schema, score=empty, predicted=predicted, n_bins=self.settings.training.reference_bins
        )
        counts = count_window(reference, live, n_rows=len(logged))
        monitoring = self.settings.monitoring
        report = find_drift(reference, counts, limits, min_rows=monitoring.min_rows)
        frame = pd.DataFrame({one.name: live[one.name] for one in schema.features})
        together = domain_auc(
            rows,
            frame,
            schema,
            limits.multivariate,
            min_rows=monitoring.min_rows,
            confidence=1 - limits.alpha,
            seed=self.settings.seed,
        )
        return replace(report, multivariate=together)

    def _performance(self, state: State, since: int, until: int) -> tuple[Performance, Performance]:
        """Return measured and expected performance of the version in production."""
        package, _, _ = self._production(state)
        with state.reading() as connection:
            rows = store.window_predictions(connection, self.model_name, since=since, until=until)
        rows = [row for row in rows if row.digest == package.digest]
        return judge_rows(rows, package, self.settings.monitoring, seed=self.settings.seed)
