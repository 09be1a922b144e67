"""Fit a classifier to the train rows, and evaluate it by cross-validation.

Calibration and threshold are fitted to out-of-fold scores, and these choose the number of boosted trees. The metrics
of a fold use a number of trees, a calibration and a threshold of the other folds: no row influences its evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.metrics import compute_metrics, get_metric, round_significant
from pipeline.modeling.baselines import BASELINES, baseline_metric_names
from pipeline.modeling.boosting_rounds import RoundsCurve, chooses_rounds, first_stages, later_stages, with_rounds
from pipeline.modeling.calibration import fit_calibration
from pipeline.modeling.classifier import Classifier, encode_target, predicted_codes
from pipeline.modeling.fold_fits import BaselineFitter, FoldFits, ModelFitter
from pipeline.modeling.mitigation import MitigatedRows, Mitigation
from pipeline.modeling.row_weights import row_weights
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.modeling.thresholds import check_threshold_rule, choose_threshold
from pipeline.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import ModelConfig
    from pipeline.config.groups.training_config import TrainingConfig
    from pipeline.modeling.classifier import Threshold
    from pipeline.schema import Schema, Target

    Floats = NDArray[np.float64]

__all__ = ["TrainResult", "assign_folds", "check_folds", "check_training", "train_classifier"]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A classifier with its cross-validated metrics.

    Attributes
    ----------
    classifier : Classifier
        Fitted to all rows, calibrated, with its threshold.
    out_of_fold : float, shape (n_rows, n_classes)
        Calibrated probability of each row by a classifier that was not fitted to it.
    fold_metrics : tuple of dict
        Every metric by fold; NaN where one is not defined.
    baseline_metrics : dict of dict
        Mean over the same folds of every metric, by baseline.
    selection_metric : str
        The metric `training.selection_metric`.
    selection_value : float
        Its mean over folds.
    predicted : int, shape (n_rows,)
        Class that `out_of_fold` gives by a threshold of the other folds, as position.
    n_trees : int or None
        The number of trees that the folds chose for `max_iter: auto`.
    """

    classifier: Classifier
    out_of_fold: Floats
    fold_metrics: tuple[dict[str, float], ...]
    baseline_metrics: dict[str, dict[str, float | None]]
    selection_metric: str
    selection_value: float
    predicted: NDArray[np.int64]
    n_trees: int | None = None

    @property
    def mean_metrics(self) -> dict[str, float | None]:
        """Mean over folds of every metric."""
        return _aggregate_folds(self.fold_metrics, np.mean)

    @property
    def std_metrics(self) -> dict[str, float | None]:
        """Standard deviation over folds of every metric."""
        return _aggregate_folds(self.fold_metrics, _standard_deviation)

    @property
    def summary(self) -> str:
        """The selection metric of the model and of the baselines, in one line."""
        baselines = ", ".join(
            f"{name} {number(metrics[self.selection_metric])}" for name, metrics in self.baseline_metrics.items()
        )
        headline = f"{self.selection_metric} {self.selection_value:.4f}"
        trees = "" if self.n_trees is None else f" with {self.n_trees} trees"
        return f"{headline} over {len(self.fold_metrics)} folds{trees} ({baselines})"

    def as_dict(self) -> dict[str, Any]:
        """Return the means, the threshold and a few metrics of each baseline, for `dvc metrics`."""
        names = baseline_metric_names(self.selection_metric)
        baselines = {
            baseline: {name: metrics[name] for name in names} for baseline, metrics in self.baseline_metrics.items()
        }
        return {**self.mean_metrics, "threshold": round_significant(self.classifier.threshold), "baselines": baselines}


def train_classifier(
    frame: pd.DataFrame,
    schema: Schema,
    features: FeaturesConfig,
    *,
    model: ModelConfig,
    training: TrainingConfig,
    seed: int,
    fairness: FairnessConfig | None = None,
    engine: PartEngineConfig | None = None,
) -> TrainResult:
    """Fit a classifier to `frame` and evaluate it by stratified cross-validation.

    The result is the same for any `training.n_jobs` and `engine`: folds are fitted in parallel threads, each with one
    native thread. Threads suffice because fitting releases the interpreter lock; a process would spend longer on
    its imports than on a fold.

    Parameters
    ----------
    frame : DataFrame
        Declared columns and the target. Fits, calibration and the number of trees count a row by the column with
        the role weight; folds, threshold and metrics count each row once.
    schema : Schema
    features, model, training
        Sections of the configuration.
    seed : int
        Seed of folds and estimators.
    fairness : FairnessConfig, optional
        With the mitigation that is part of the training; none by default.
    engine : PartEngineConfig, optional
        A cluster that fits the folds as tasks; the threads of this process by default, and with the engine `local`.

    Raises
    ------
    ConfigError
        When the estimator cannot be built or fitted, or an option is unknown.
    DataError
        When rows do not match the schema, or a class has fewer rows than there are folds.
    DependencyUnavailable
        When the cluster is unavailable.
    """
    from threadpoolctl import threadpool_limits

    check_training(training, schema.target)
    codes = encode_target(frame, schema.target)
    fold_of = assign_folds(codes, schema.target, training.folds, seed=seed)
    mitigation = Mitigation.from_config(fairness, schema)
    groups = None if mitigation is None else MitigatedRows(mitigation, mitigation.grouping(frame), codes)
    fitter = ModelFitter(schema, features, model, training.class_weight, mitigation, seed)
    with threadpool_limits(limits=1):
        folds = FoldFits(frame, fold_of, training, row_weights(frame, schema), engine)
        fitted = _fit_final_and_folds(folds, fitter, codes)
        evaluation = _FoldEvaluation(schema.target, codes, fold_of, folds.weights)
        crossed = evaluation.cross_calibrate(fitted.raw_scores, training, groups)
        classifier = _calibrated(fitted, folds, codes, groups)
        baseline_metrics = evaluation.mean_metrics(fitted.baseline_scores)
    return TrainResult(
        classifier=classifier,
        out_of_fold=crossed.scores,
        fold_metrics=crossed.fold_metrics,
        baseline_metrics=baseline_metrics,
        selection_metric=training.selection_metric,
        selection_value=_selection_value(crossed.fold_metrics, training.selection_metric),
        predicted=crossed.predicted,
        n_trees=fitted.n_trees,
    )


def _selection_value(fold_metrics: tuple[dict[str, float], ...], metric: str) -> float:
    value = _aggregate_folds(fold_metrics, np.mean)[metric]
    if value is None:
        raise ConfigError(f"training.selection_metric: {metric} is not defined in any fold; choose another")
    return value


def check_training(training: TrainingConfig, target: Target) -> None:
    """Refuse an unknown selection metric, and a threshold rule that does not fit the target.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    get_metric(training.selection_metric, setting="training.selection_metric")
    check_threshold_rule(training.threshold, target)


@dataclass(frozen=True, slots=True)
class _FittedFolds:
    """The classifier of all rows, its uncalibrated out-of-fold scores, and those of each baseline.

    `n_trees` is the chosen number of trees; None where the model file declares it, or the model has no trees.
    """

    classifier: Classifier
    raw_scores: Floats
    baseline_scores: Mapping[str, Floats]
    n_trees: int | None = None


def _fit_final_and_folds(folds: FoldFits, fitter: ModelFitter, codes: NDArray[np.int64]) -> _FittedFolds:
    """Fit the classifier of all rows, and score each fold by the model and the baselines of the other folds."""
    stages = first_stages() if chooses_rounds(fitter.model) else ()
    baselines = {name: BaselineFitter(name, fitter.schema, fitter.seed) for name in BASELINES}
    classifier, scores = folds.fit_and_score({"model": fitter, **baselines}, stages=stages)
    model_scores = scores.pop("model")
    baseline_scores = {name: values[0] for name, values in scores.items()}
    if not stages:
        return _FittedFolds(classifier, model_scores[0], baseline_scores)
    curve = RoundsCurve.from_probabilities(stages, model_scores, codes, weights=folds.weights)
    if curve.still_improves():
        longest = fitter.with_model(with_rounds(fitter.model, later_stages()[-1]))
        classifier, scores = folds.fit_and_score({"model": longest}, stages=later_stages())
        curve = RoundsCurve.from_probabilities(later_stages(), scores["model"], codes, weights=folds.weights)
    n_trees = curve.best_rounds()
    if n_trees != classifier.estimator.get_params()["max_iter"]:
        classifier = fitter.with_model(with_rounds(fitter.model, n_trees))(folds.frame)
    return _FittedFolds(classifier, curve.cross_chosen(folds.fold_of), baseline_scores, n_trees)


def _calibrated(
    fitted: _FittedFolds, folds: FoldFits, codes: NDArray[np.int64], groups: MitigatedRows | None
) -> Classifier:
    """Return the classifier of all rows with calibration and thresholds of the out-of-fold scores."""
    calibration = fit_calibration(folds.training.calibration, fitted.raw_scores, codes, weights=folds.weights)
    scores, target = calibration.apply(fitted.raw_scores), fitted.classifier.schema.target
    threshold = choose_threshold(scores, codes, target, config=folds.training.threshold)
    by_group = None if groups is None else groups.choose_thresholds(scores, slice(None), default=threshold)
    return replace(fitted.classifier, calibration=calibration, threshold=threshold, group_thresholds=by_group)


@dataclass(frozen=True, slots=True)
class _CrossCalibrated:
    """Calibrated scores and predicted classes of all rows, and the metrics of each fold, by decisions of the others."""

    scores: Floats
    predicted: NDArray[np.int64]
    fold_metrics: tuple[dict[str, float], ...]


@dataclass(frozen=True, slots=True)
class _FoldEvaluation:
    """True classes, folds and weights of the rows, for the evaluation of scores; metrics count each row once."""

    target: Target
    codes: NDArray[np.int64]
    fold_of: NDArray[np.intp]
    weights: Floats | None = None

    def cross_calibrate(self, raw: Floats, training: TrainingConfig, groups: MitigatedRows | None) -> _CrossCalibrated:
        """Return the scores of each fold by calibration and thresholds of the other folds."""
        calibrated, predicted = np.empty_like(raw), np.zeros(len(raw), dtype=np.int64)
        fold_metrics = []
        for fold in range(training.folds):
            inside = self.fold_of == fold
            outside_codes = self.codes[~inside]
            weights = None if self.weights is None else self.weights[~inside]
            calibration = fit_calibration(training.calibration, raw[~inside], outside_codes, weights=weights)
            calibrated[inside] = calibration.apply(raw[inside])
            outside = calibration.apply(raw[~inside])
            default = choose_threshold(outside, outside_codes, self.target, config=training.threshold)
            threshold = default if groups is None else groups.cross_thresholds(outside, inside, default=default)
            predicted[inside] = predicted_codes(calibrated[inside], self.target, threshold)
            fold_metrics.append(self._fold_metrics(calibrated[inside], inside, threshold))
        return _CrossCalibrated(calibrated, predicted, tuple(fold_metrics))

    def mean_metrics(self, scores: Mapping[str, Floats]) -> dict[str, dict[str, float | None]]:
        """Return the mean over folds of every metric, by name of the scores."""
        return {name: _aggregate_folds(self.metrics_by_fold(values), np.mean) for name, values in scores.items()}

    def metrics_by_fold(self, scores: Floats) -> list[dict[str, float]]:
        """Return the metrics of each fold at the threshold 0.5."""
        threshold = 0.5 if self.target.is_binary else None
        parts = [self.fold_of == fold for fold in range(int(self.fold_of.max()) + 1)]
        return [self._fold_metrics(scores[inside], inside, threshold) for inside in parts]

    def _fold_metrics(self, scores: Floats, inside: NDArray[np.bool_], threshold: Threshold) -> dict[str, float]:
        return compute_metrics(make_scored_rows(self.target, self.codes[inside], scores, threshold=threshold))


def check_folds(codes: NDArray[np.int64], target: Target, n_folds: int) -> None:
    """Refuse classes that have fewer rows than there are folds.

    Parameters
    ----------
    codes : int, shape (n_rows,)
        Classes of the train rows as positions in `target.classes`.
    target : Target
    n_folds : int

    Raises
    ------
    DataError
        Naming the class, its rows and the setting.
    """
    counts = np.bincount(codes, minlength=len(target.classes))
    rare = [(int(n), name) for n, name in zip(counts, target.classes, strict=True) if 0 < n < n_folds]
    if rare:
        raise DataError(
            f"{target.column}: {rare[0][1]} has {rare[0][0]} rows in the train part and training.folds is {n_folds};"
            " each fold needs one: lower training.folds, add rows of this class, or leave it out of target.classes"
            " and set target to `unlabeled: set_aside`"
        )


def assign_folds(codes: NDArray[np.int64], target: Target, n_folds: int, *, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row; the folds are stratified by class."""
    from sklearn.model_selection import StratifiedKFold

    check_folds(codes, target, n_folds)
    fold_of = np.empty(len(codes), dtype=np.intp)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for fold, (_, inside) in enumerate(splitter.split(codes, codes)):
        fold_of[inside] = fold
    return fold_of


def _standard_deviation(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _aggregate_folds(folds: Iterable[Mapping[str, float]], reduce: Callable[[Floats], Any]) -> dict[str, float | None]:
    """Return one value for each metric from the folds in which it is defined; None where it is in none."""
    folds = list(folds)
    aggregated: dict[str, float | None] = {}
    for name in folds[0]:
        values = np.array([fold[name] for fold in folds])
        defined = values[~np.isnan(values)]
        aggregated[name] = round_significant(reduce(defined)) if len(defined) else None
    return aggregated
