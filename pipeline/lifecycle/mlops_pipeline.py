"""One object for the life cycle of a model in a notebook."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.gates import GateInputs
from pipeline.lifecycle.in_memory_training import (
    TrainedCandidate,
    prepare_model,
    to_train_test,
    train_candidate,
)
from pipeline.lifecycle.mlops_report import BestModel, MlopsReport
from pipeline.metrics import get_metric
from pipeline.monitoring import ModelMonitor
from pipeline.project import paths
from pipeline.project.root import find_project_root
from pipeline.registry import ModelRegistry
from pipeline.schema.frame_input import as_frame
from pipeline.tracking import ExperimentTracker
from pipeline.tracking.revision import revision_tags
from pipeline.validation import DataValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.root_config import Config
    from pipeline.evaluation import EvaluationReport
    from pipeline.gates import GateReport
    from pipeline.lifecycle.in_memory_training import TrainTestFrames
    from pipeline.package import Package
    from pipeline.state import DeploymentChange, ModelVersion

__all__ = ["MLOpsPipeline"]

_N_RECENT_DECISIONS = 5


@dataclass
class MLOpsPipeline:
    """Validate, train, evaluate, register, promote, monitor and report, for your own estimators and DataFrames.

    Parameters
    ----------
    experiment_name : str
        MLflow experiment of the runs.
    model_name : str
        Name in the registry.
    tracking_uri : str, optional
        Address of MLflow; the SQLite file of the project when None.
    root : Path, optional
        Folder of the project; found from the current folder when None.
    config : Config, optional
        Settings of checks, gates, folds and metrics; those of `params.yaml` when None.

    Examples
    --------
    >>> mlops = MLOpsPipeline("personality_classification", "personality_model")  # doctest: +SKIP
    >>> mlops.validate_and_track_data(train_data, test_data)["train"]["quality_score"]  # doctest: +SKIP
    >>> trained = mlops.train_and_track_model(  # doctest: +SKIP
    ...     model, X_train, y_train, X_test, y_test, register_model=True
    ... )
    >>> mlops.promote_model(model_version=trained.version.version, stage="Production")  # doctest: +SKIP
    >>> mlops.monitor_production_model(recent_predictions, reference_dataset)["drift"]["summary"]  # doctest: +SKIP
    """

    experiment_name: str
    model_name: str
    tracking_uri: str | None = None
    root: Path | None = None
    config: Config | None = None
    _tracker: ExperimentTracker | None = field(default=None, repr=False)
    _quality_scores: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def _root(self) -> Path:
        return self.root if self.root is not None else find_project_root()

    @property
    def registry(self) -> ModelRegistry:
        """The model registry of the project."""
        return ModelRegistry(self.root, self.tracking_uri)

    @property
    def tracker(self) -> ExperimentTracker:
        """The tracker of the experiment."""
        if self._tracker is None:
            self._tracker = ExperimentTracker(self.experiment_name, self.tracking_uri, self.root)
        return self._tracker

    @property
    def _loaded_config(self) -> Config:
        if self.config is None:
            self.config = load_params(self._root / paths.PARAMS)
        return self.config

    def validate_and_track_data(self, train_data: Any, test_data: Any, *, target: str | None = None) -> dict[str, Any]:
        """Validate two DataFrames, compare them, and record the reports as a run.

        Parameters
        ----------
        train_data, test_data : frame of any library
            Rows with their labels.
        target : str, optional
            Column to predict; the last one with few distinct values when None.

        Returns
        -------
        dict
            `train` and `test`: reports with the keys of `reports/validation.json`, `test` compared with `train`;
            and `run_id`.
        """
        train_data, test_data = as_frame(train_data, name="train_data"), as_frame(test_data, name="test_data")
        validator = DataValidator(config=self._loaded_config.validation, target=target)
        reports = {
            "train": validator.validate_dataset(train_data, "train"),
            "test": validator.validate_dataset(test_data, "test", reference=train_data),
        }
        self._quality_scores = {name: report["quality_score"] for name, report in reports.items()}
        with self.tracker.start_run("data validation", tags={"mlops.kind": "validation"}) as run:
            self.tracker.log_metrics(
                {f"data.quality_score.{name}": score for name, score in self._quality_scores.items()}
            )
            for name, frame in (("train", train_data), ("test", test_data)):
                self.tracker.log_dataset(frame, name, context=name)
                self.tracker.log_dict(reports[name], f"validation_{name}.json")
            return {**reports, "run_id": run.key}

    def train_and_track_model(  # noqa: PLR0913 - the specified signature
        self,
        model: Any,
        X_train: Any,
        y_train: Any,
        X_test: Any,
        y_test: Any,
        *,
        model_params: Mapping[str, object] | None = None,
        register_model: bool = False,
        run_name: str | None = None,
        description: str = "",
    ) -> TrainedCandidate:
        """Fit an estimator, evaluate it and its gates on the test rows, record the run, and optionally register it.

        Parameters
        ----------
        model : scikit-learn classifier with `predict_proba`
            From an allow-listed package, fitted or not. A new instance is fitted; yours stays as it is. A pipeline
            that prepares the columns itself (`ColumnTransformer`, `OneHotEncoder`, `OrdinalEncoder`, scalers) does so
            in the package too, and gives the probabilities that it gives without the project. Any other estimator gets
            the matrix of the project's encoder, which encodes categories, dates and missing values. Of a search
            (`GridSearchCV`) the best estimator is trained, and `search_results.json` of the run lists what was tried;
            one that is not fitted is fitted to the train rows first.
        X_train, y_train, X_test, y_test
            Features (frames of any library, or arrays of two dimensions) and labels (words or numbers).
        model_params : mapping, optional
            Parameters to record; those of the estimator when None.
        register_model : bool
            Whether to register a version of `model_name`; `promote_model` moves it to a stage.
        run_name, description : str
            Name of the run, and description of the version.

        Raises
        ------
        ConfigError
            When the estimator cannot be built from its settings, works on raw columns, or needs pickle to be stored.
        DataError
            When a class has fewer rows than there are folds.
        """
        config = self._loaded_config
        rows = to_train_test(X_train, X_test, y_train, y_test, config)
        prepared = prepare_model(model, rows, config)
        rows, config, model_config = prepared.rows, prepared.config, prepared.config.model
        with tempfile.TemporaryDirectory() as name, self._start_run(run_name or model_config.name) as run:
            folder = Path(name) / "package"
            package, report = train_candidate(rows, model_config, config, folder=folder)
            metrics = {metric: estimate.value for metric, estimate in report.metrics.items()}
            self.tracker.log_params(model_params if model_params is not None else model_config.estimator)
            self._log_run(package, metrics, folder)
            if prepared.search is not None:
                self.tracker.log_dict(prepared.search, "search_results.json")
            inputs = self._gate_inputs(rows, report)
            gates = self.registry.evaluate_candidate(self.model_name, package, inputs, config=config.promotion)
            self.tracker.log_dict(gates.as_dict(), "gates.json")
            version = None
            if register_model:
                version = self._register(folder, gates, run_id=run.key, description=description or model_config.name)
            return TrainedCandidate(
                run_id=run.key,
                metrics=metrics,
                cross_validated=package.metrics,
                gates=gates,
                package=package,
                version=version,
            )

    def _start_run(self, name: str) -> Any:
        return self.tracker.start_run(name, tags={"mlops.kind": "model", **revision_tags(self._root)})

    def _log_run(self, package: Package, metrics: Mapping[str, float | None], folder: Path) -> None:
        values = {f"cv.{name}": value for name, value in package.metrics.items()}
        values |= {f"test.{name}": value for name, value in metrics.items()}
        self.tracker.log_metrics({name: value for name, value in values.items() if value is not None})
        self.tracker.log_model(folder, "model", tags={"mlops.package": package.digest})
        self.tracker.set_tags({"mlops.package": package.digest})
        self.tracker.log_text(package.card, "card.md")

    def _gate_inputs(self, rows: TrainTestFrames, report: EvaluationReport) -> GateInputs:
        validator = DataValidator(rows.schema, self._loaded_config.validation)
        return GateInputs(rows.test, report.as_dict(), validator.validate_dataset(rows.train, "train"))

    def _register(self, folder: Path, gates: GateReport, *, run_id: str, description: str) -> ModelVersion:
        tags = {"run_id": run_id, **revision_tags(self._root)}
        return self.registry.register_model(folder, self.model_name, description, tags=tags, gates=gates)

    def promote_model(
        self,
        model_version: int | str,
        stage: str = "Production",
        *,
        reason: str = "",
        expected_generation: int | None = None,
        force: bool = False,
    ) -> DeploymentChange:
        """Move a version of this model to a stage; see `ModelRegistry.promote_model`."""
        return self.registry.promote_model(
            self.model_name, model_version, stage, reason=reason, expected_generation=expected_generation, force=force
        )

    def monitor_production_model(
        self,
        prediction_data: Any = None,
        reference_data: Any = None,
        *,
        window_hours: float | None = None,
    ) -> dict[str, Any]:
        """Return drift and performance of the Production version on recent rows.

        Parameters
        ----------
        prediction_data : frame of any library, optional
            Recent rows, with the target column where outcomes are known; the logged rows of the last hours when
            None.
        reference_data : frame of any library, optional
            Rows to compare with; the train rows of the version when None.
        window_hours : float, optional
            Hours of the log; `monitoring.window_hours` when None.

        Returns
        -------
        dict
            `model`, `dashboard`, `drift`, `performance`, `degradation`: keys of `reports/monitoring.json`.

        Raises
        ------
        DataError
            When a frame has no rows, or none of the columns.
        UsageError
            When no version is in Production.
        """
        monitor = ModelMonitor(self.model_name, root=self.root, config=self._loaded_config)
        if prediction_data is None:
            return monitor.generate_monitoring_report(window_hours, reference_data=reference_data)
        return monitor.evaluate_frame(prediction_data, reference_data)

    def get_best_model(self, metric: str | None = None) -> BestModel:
        """Return the registered version with the best mean of a metric over its folds.

        The default metric is `training.selection_metric`.

        Raises
        ------
        UnknownOption
            When the metric is unknown.
        UsageError
            When no version has the metric.
        """
        selection = get_metric(
            metric if metric is not None else self._loaded_config.training.selection_metric, setting="metric"
        )
        candidates = [
            (value, version)
            for version in self._versions()
            if (value := _fold_mean(version, selection.name)) is not None
        ]
        if not candidates:
            raise UsageError(f"{self.model_name}: no registered version has the metric {selection.name}; register one")
        best = (max if selection.higher_is_better else min)(candidates, key=lambda pair: pair[0])
        package = self.registry.load_model(self.model_name, version=best[1].version)
        return BestModel(
            version=best[1],
            metric=selection.name,
            value=best[0],
            higher_is_better=selection.higher_is_better,
            model=package,
        )

    def generate_mlops_report(self) -> MlopsReport:
        """Return a report of runs, versions, deployments and recent decisions; MLflow may be unreachable."""
        try:
            n_runs: int | None = len(self.tracker.search_runs())
        except DependencyUnavailable:
            n_runs = None
        deployment = self.registry.current_deployment(self.model_name)
        return MlopsReport(
            model=self.model_name,
            n_runs=n_runs,
            versions=tuple(self._versions()),
            deployed_versions=deployment.versions,
            generation=deployment.generation,
            quality_scores=dict(self._quality_scores),
            decisions=tuple(self.registry.history(self.model_name)[-_N_RECENT_DECISIONS:]),
            is_audit_trail_intact=self.registry.verify_history().is_intact,
        )

    def _versions(self) -> list[ModelVersion]:
        return self.registry.list_models(self.model_name)


def _fold_mean(version: ModelVersion, metric: str) -> float | None:
    value = (version.tags.get("metrics") or {}).get(metric)
    return None if value is None else float(value)
