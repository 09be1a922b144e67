"""Fit a classifier to the train part, and judge it on folds that it did not see.

Calibration and threshold are learned from out-of-fold scores. The figures of a fold come from maps
that were learned on the other folds, so no row has a say in how it is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.files import canonical_json, sha256
from pipeline.lookup import LookupTable
from pipeline.metrics import compute_metrics, get_metric, round_significant
from pipeline.modeling.baselines import BASELINES, baseline_metric_names, fit_baseline
from pipeline.modeling.calibration import fit_calibration
from pipeline.modeling.classifier import Classifier, encode_target, fit_classifier
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.training_config import FeaturesConfig, ModelConfig, ThresholdConfig, TrainingConfig
    from pipeline.config.root_config import Config
    from pipeline.schema import Schema, Target

    Floats = NDArray[np.float64]

__all__ = ["THRESHOLD_RULES", "TrainResult", "train_classifier", "training_lineage"]

_LINEAGE_SETTINGS: Any = {
    "name": True,
    "seed": True,
    "data": {"name", "columns", "target"},
    "features": True,
    "model": True,
    "training": True,
}


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A classifier with what cross-validation says of it.

    Attributes
    ----------
    classifier : Classifier
        Fitted to all rows, calibrated, with its threshold.
    out_of_fold : float, shape (n_rows, n_classes)
        Calibrated probability of each row by a classifier that had not seen it.
    folds : tuple of dict
        Every metric by fold; NaN where one is not defined.
    baselines : dict of dict
        Mean over the same folds of every metric, by baseline.
    metric : str
        The metric `training.selection_metric`.
    objective : float
        Its mean over folds.
    """

    classifier: Classifier
    out_of_fold: Floats
    fold_metrics: tuple[dict[str, float], ...]
    baseline_metrics: dict[str, dict[str, float | None]]
    objective_metric: str
    objective_value: float

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
        """The objective beside that of the baselines, in one line."""
        others = [f"{name} {number(figures[self.objective_metric])}" for name, figures in self.baseline_metrics.items()]
        return f"{self.objective_metric} {self.objective_value:.4f} over {len(self.fold_metrics)} folds ({', '.join(others)})"

    def as_dict(self) -> dict[str, Any]:
        """Return the means, the threshold and the headline of each baseline, for `dvc metrics`."""
        shown = baseline_metric_names(self.objective_metric)
        baselines = {name: {one: figures[one] for one in shown} for name, figures in self.baseline_metrics.items()}
        return {**self.mean_metrics, "threshold": round_significant(self.classifier.threshold), "baselines": baselines}


def training_lineage(config: Config, *, data: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model is made from, by content: nothing of it tells where or when.

    Parameters
    ----------
    config : Config
        The settings that training reads, those that dvc.yaml names, enter as one hash; the number of threads
        is none of them.
    data : mapping of str to str
        SHA-256 of the parts.
    source : mapping
        Fingerprint of the source of the rows.
    """
    read = config.model_dump(mode="json", include=_LINEAGE_SETTINGS)
    del read["training"]["n_jobs"]
    return {
        "data": config.data.name,
        "data_sha256": dict(data),
        "params_sha256": sha256(canonical_json(read).encode()),
        "seed": config.seed,
        "source": dict(source),
    }


def train_classifier(
    frame: pd.DataFrame,
    schema: Schema,
    features: FeaturesConfig,
    model: ModelConfig,
    training: TrainingConfig,
    *,
    seed: int,
) -> TrainResult:
    """Return a classifier fitted to `frame`, judged by stratified cross-validation.

    The result is the same for any `training.n_jobs`: folds are fitted side by side in threads (learning
    leaves Python's lock, and a new process would spend longer on its imports than on a fold), and
    each with one native thread.

    Parameters
    ----------
    frame : DataFrame
        Declared columns and the target.
    schema : Schema
    features, model, training
        Sections of the configuration.
    seed : int
        Seed of folds and estimators.

    Raises
    ------
    ConfigError
        When the estimator cannot be built or fitted, or a name is in no table.
    DataError
        When rows are not what the schema declares, or a class has fewer rows than there are folds.
    """
    from threadpoolctl import threadpool_limits

    objective = get_metric(training.selection_metric, setting="training.selection_metric").name
    _check_threshold_rule(training.threshold, schema.target)
    codes = encode_target(frame, schema.target)
    fold_of = _assign_folds(codes, schema.target, training.folds, seed)

    def fit(rows: pd.DataFrame) -> Classifier:
        return fit_classifier(rows, schema, features, model, seed=seed, class_weight=training.class_weight)

    with threadpool_limits(limits=1):
        classifier, raw, others = _fit_final_and_folds(frame, schema, fit, fold_of, training, seed)
        judged = _FoldEvaluation(schema.target, codes, fold_of)
        out_of_fold, folds = judged.cross_calibrate(raw, training)
        calibration = fit_calibration(training.calibration, raw, codes)
        threshold = judged.choose_threshold(calibration.apply(raw), codes, training.threshold)
        baselines = {name: _aggregate_folds(judged.metrics_by_fold(scores), np.mean) for name, scores in others.items()}
    final = Classifier(schema, classifier.encoder, classifier.estimator, calibration, threshold)
    reached = _aggregate_folds(folds, np.mean)[objective]
    if reached is None:
        raise ConfigError(f"training.selection_metric: {objective} is not defined in any fold; choose another")
    return TrainResult(final, out_of_fold, folds, baselines, objective, reached)


def _fit_final_and_folds(
    frame: pd.DataFrame,
    schema: Schema,
    fit: Callable[[pd.DataFrame], Classifier],
    fold_of: NDArray[np.intp],
    training: TrainingConfig,
    seed: int,
) -> tuple[Classifier, Floats, dict[str, Floats]]:
    """Return the classifier of all rows, its out-of-fold scores, and those of the baselines."""
    from joblib import Parallel, delayed

    def scores(fold: int, fit_rows: Callable[[pd.DataFrame], Classifier]) -> Floats:
        inside = fold_of == fold
        return fit_rows(frame[~inside]).predict_proba(frame[inside])

    def baseline(name: str) -> Callable[[pd.DataFrame], Classifier]:
        return lambda rows: fit_baseline(name, rows, schema, seed=seed)

    fitters = {"model": fit, **{name: baseline(name) for name in BASELINES}}
    tasks = [delayed(fit)(frame)]
    tasks += [delayed(scores)(fold, one) for one in fitters.values() for fold in range(training.folds)]
    classifier, *parts = Parallel(n_jobs=min(training.n_jobs, len(tasks)), backend="threading")(tasks)
    found = {}
    for at, name in enumerate(fitters):
        mine = parts[at * training.folds : (at + 1) * training.folds]
        found[name] = np.empty((len(frame), mine[0].shape[1]))
        for fold, values in enumerate(mine):
            found[name][fold_of == fold] = values
    return classifier, found.pop("model"), found


@dataclass(frozen=True, slots=True)
class _FoldEvaluation:
    """Rows with their true classes and folds, on which scores are judged."""

    target: Target
    codes: NDArray[np.int64]
    fold_of: NDArray[np.intp]

    def cross_calibrate(self, raw: Floats, training: TrainingConfig) -> tuple[Floats, tuple[dict[str, float], ...]]:
        """Return calibrated scores and the metrics of each fold, by maps learned on the other folds."""
        calibrated = np.empty_like(raw)
        folds = []
        for fold in range(training.folds):
            inside = self.fold_of == fold
            rest = self.codes[~inside]
            one = fit_calibration(training.calibration, raw[~inside], rest)
            calibrated[inside] = one.apply(raw[inside])
            threshold = self.choose_threshold(one.apply(raw[~inside]), rest, training.threshold)
            folds.append(self._fold_metrics(calibrated[inside], inside, threshold))
        return calibrated, tuple(folds)

    def metrics_by_fold(self, scores: Floats) -> list[dict[str, float]]:
        """Return the metrics of each fold at the threshold 0.5."""
        threshold = 0.5 if self.target.is_binary else None
        parts = [self.fold_of == fold for fold in range(int(self.fold_of.max()) + 1)]
        return [self._fold_metrics(scores[inside], inside, threshold) for inside in parts]

    def _fold_metrics(self, scores: Floats, inside: NDArray[np.bool_], threshold: float | None) -> dict[str, float]:
        return compute_metrics(make_scored_rows(self.target, self.codes[inside], scores, threshold=threshold))

    def choose_threshold(self, scores: Floats, codes: NDArray[np.int64], config: ThresholdConfig) -> float | None:
        """Return the threshold that the rule takes from `scores`; None where there are more than two classes."""
        if self.target.positive is None or not self.target.is_binary:
            return None
        positive = self.target.classes.index(self.target.positive)
        return THRESHOLD_RULES[config.rule](scores[:, positive], codes == positive, config.value)


def _assign_folds(codes: NDArray[np.int64], target: Target, n_folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row; every fold has nearly the same shares of classes."""
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(codes, minlength=len(target.classes))
    rare = [(int(n), name) for n, name in zip(counts, target.classes, strict=True) if 0 < n < n_folds]
    if rare:
        raise DataError(
            f"{target.column}: {rare[0][1]} has {rare[0][0]} rows in the train part and training.folds is {n_folds};"
            " each fold needs one: lower training.folds, or bring more rows of this class"
        )
    fold_of = np.empty(len(codes), dtype=np.intp)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for fold, (_, inside) in enumerate(splitter.split(codes, codes)):
        fold_of[inside] = fold
    return fold_of


def _standard_deviation(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _aggregate_folds(folds: Iterable[Mapping[str, float]], reduce: Callable[[Floats], Any]) -> dict[str, float | None]:
    """Return one figure for each metric from the folds in which it is defined; None where it is in none."""
    folds = list(folds)
    found: dict[str, float | None] = {}
    for name in folds[0]:
        values = np.array([fold[name] for fold in folds])
        defined = values[~np.isnan(values)]
        found[name] = round_significant(reduce(defined)) if len(defined) else None
    return found


ThresholdRule = Callable[["Floats", "NDArray[np.bool_]", float], float]
THRESHOLD_RULES: LookupTable[ThresholdRule] = LookupTable("training.threshold.rule")


def _check_threshold_rule(config: ThresholdConfig, target: Target) -> None:
    if THRESHOLD_RULES[config.rule] is not _fixed_threshold and not target.is_binary:
        raise ConfigError(
            f"training.threshold.rule: {config.rule} needs two classes and {target.column} has"
            f" {len(target.classes)}; the most probable one is predicted: set the rule to fixed"
        )


@THRESHOLD_RULES.add("fixed")
def _fixed_threshold(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:  # noqa: ARG001 - the rules share a form
    return value


@THRESHOLD_RULES.add("max_f1")
def _max_f1(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:
    return _best_threshold(scores, is_positive, value, lambda hits, said, true, _: 2.0 * hits / (said + true))


@THRESHOLD_RULES.add("max_balanced_accuracy")
def _max_balanced_accuracy(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:
    def balanced(hits: Floats, said: Floats, true: float, total: float) -> Floats:
        return (hits / true + 1.0 - (said - hits) / (total - true)) / 2.0

    return _best_threshold(scores, is_positive, value, balanced)


@THRESHOLD_RULES.add("max_mcc")
def _max_mcc(scores: Floats, is_positive: NDArray[np.bool_], value: float) -> float:
    def correlation(hits: Floats, said: Floats, true: float, total: float) -> Floats:
        return (hits * total - said * true) / np.sqrt(said * (total - said) * true * (total - true))

    return _best_threshold(scores, is_positive, value, correlation)


def _best_threshold(
    scores: Floats,
    is_positive: NDArray[np.bool_],
    value: float,
    statistic: Callable[[Floats, Floats, float, float], Floats],
) -> float:
    """Return the threshold with the best figure, midway between two scores; of equals the one nearest to `value`.

    Midway, because a threshold that is itself a score would split rows by their last bit.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.diff(falling) < 0)
    if not len(last):
        return value
    hits = np.cumsum(is_positive[order])[last].astype(np.float64)
    said = (last + 1).astype(np.float64)
    reached = statistic(hits, said, float(is_positive.sum()), float(len(scores))).round(12)
    middle = (falling[last] + falling[last + 1]) / 2.0
    best = middle[reached == reached.max()]
    chosen = round_significant(best[np.abs(best - value).argmin()])
    return value if chosen is None else chosen
