"""Evaluate a package on test rows: metrics, classes, baselines, slices, importance, curves and ONNX parity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.evaluation.curves import curve_tables
from pipeline.evaluation.evaluation_report import Baseline, EvaluationReport, Parity
from pipeline.evaluation.importance import importance_table, permutation_importance
from pipeline.evaluation.protected_groups import group_protected_columns
from pipeline.evaluation.slices import evaluate_slices
from pipeline.fairness import GroupTallies, assess_fairness, check_fairness
from pipeline.metrics import (
    LabeledPredictions,
    WeightedPredictions,
    compare_paired,
    compute_metrics,
    estimate_metrics,
    get_metric,
    round_significant,
)
from pipeline.modeling.baselines import BASELINES, baseline_metric_names, fit_baseline
from pipeline.modeling.classifier import encode_target, predicted_classes
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.evaluation_config import EvaluationConfig
    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.fairness import FairnessReport
    from pipeline.package import Package
    from pipeline.schema import Schema, Target

__all__ = ["assess_groups", "check_evaluation", "evaluate_package", "evaluated_metrics"]


def evaluate_package(
    package: Package,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    config: EvaluationConfig,
    fairness: FairnessConfig,
    selection_metric: str,
    seed: int,
) -> EvaluationReport:
    """Evaluate a package on the rows of `test`; the number of threads changes nothing.

    Parameters
    ----------
    package : Package
    train : DataFrame
        Rows that the package was fitted to: baselines are fitted to them, slices take their quantiles.
    test : DataFrame
        Rows that the package was not fitted to, with the target.
    config : EvaluationConfig
    fairness : FairnessConfig
        How the groups of protected columns are compared.
    selection_metric : str
        The metric `training.selection_metric`.
    seed : int
        Seed of shuffles and baselines.

    Raises
    ------
    DataError
        When rows are not what the package's schema declares.
    IntegrityError
        When the served form and scikit-learn disagree on a test row.
    UnknownOption
        When a metric is in no table.
    """
    from threadpoolctl import threadpool_limits

    check_evaluation(config)
    names = evaluated_metrics(config, selection_metric)
    codes = encode_target(test, package.schema.target)
    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=1) as executor:
        probabilities = package.predict_proba(test)
        scored = _score(package, test, probabilities, n_bins=config.calibration_bins)
        # Importing scikit-learn takes as long as the rest of the evaluation, so both tasks that need it run beside it.
        options: Any = {"confidence_level": config.confidence_level, "schema": package.schema, "seed": seed}
        baselines = executor.submit(_compare_baselines, scored, train, test, names=names, **options)
        parity = executor.submit(_check_parity, package, test, probabilities)
        shuffles: Any = {"metric": selection_metric, "repeats": config.importance_repeats, "seed": seed}
        importance = permutation_importance(package.serving_classifier, test, codes, **shuffles)
        return EvaluationReport(
            package=package,
            metrics=estimate_metrics(scored, names, confidence_level=config.confidence_level),
            by_class=_class_metrics(scored, package.schema.target),
            confusion=WeightedPredictions(scored).confusion[0].astype(np.int64),
            baselines=baselines.result(),
            slices=evaluate_slices(scored, train, test, schema=package.schema, config=config),
            fairness=assess_groups(package, scored, train, test, config=config, fairness=fairness),
            importance=importance,
            tables={**curve_tables(scored, package.classes), "importance": importance_table(importance)},
            parity=parity.result(),
            selection_metric=selection_metric,
            confidence_level=config.confidence_level,
            n_train=len(train),
        )


def evaluated_metrics(config: EvaluationConfig, selection_metric: str) -> tuple[str, ...]:
    """Return the metrics of the test rows: those of the settings, the selection metric and those of the baselines."""
    return tuple(dict.fromkeys((*config.metrics, selection_metric, *baseline_metric_names(selection_metric))))


def check_evaluation(config: EvaluationConfig) -> None:
    """Refuse an unknown metric.

    Raises
    ------
    UnknownOption
        Naming the setting and the known metrics.
    """
    for name in config.metrics:
        get_metric(name, setting="evaluation.metrics")
    get_metric(config.slices.metric, setting="evaluation.slices.metric")


def _score(
    package: Package, test: pd.DataFrame, probabilities: NDArray[np.float64], *, n_bins: int
) -> LabeledPredictions:
    target = package.schema.target
    codes = encode_target(test, target)
    return make_scored_rows(target, codes, probabilities, threshold=package.row_thresholds(test), n_bins=n_bins)


def assess_groups(
    package: Package,
    scored: LabeledPredictions,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    config: EvaluationConfig,
    fairness: FairnessConfig,
) -> FairnessReport:
    """Compare the groups of the protected columns of `test`; the quantiles of other columns are those of `train`."""
    check_fairness(fairness, package.schema)
    groups = group_protected_columns(package, train, test, pairs=fairness.pairs, n_bins=config.slices.quantiles)
    tallies = [GroupTallies.from_rows(grouping, scored) for grouping in groups.groupings]
    report = assess_fairness(tallies, package.schema.target, fairness, skipped=groups.skipped)
    if package.mitigation is None:
        return report
    return replace(report, mitigation={**package.mitigation, "budget": fairness.mitigation.budget})


def _compare_baselines(
    scored: LabeledPredictions,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    names: tuple[str, ...],
    confidence_level: float,
    schema: Schema,
    seed: int,
) -> dict[str, Baseline]:
    baselines = {}
    for name in BASELINES:
        classifier = fit_baseline(name, train, schema, seed=seed)
        baseline_rows = make_scored_rows(
            schema.target,
            scored.y,
            classifier.predict_proba(test),
            threshold=classifier.threshold,
            n_bins=scored.n_bins,
        )
        values = compute_metrics(baseline_rows, names)
        metrics = {metric: round_significant(value) for metric, value in values.items()}
        baselines[name] = Baseline(
            metrics, compare_paired(scored, baseline_rows, names, confidence_level=confidence_level)
        )
    return baselines


def _check_parity(package: Package, test: pd.DataFrame, served: NDArray[np.float64]) -> Parity:
    """Compare the served form with scikit-learn on the test rows."""
    if not package.manifest.onnx.used:
        return Parity(onnx_used=False, rows=len(test), tolerance=None)
    expected = package.sklearn_classifier().predict_proba(test)
    difference, tolerance = float(np.abs(expected - served).max()), package.manifest.onnx.tolerance
    target, threshold = package.schema.target, package.row_thresholds(test)
    n_flipped = int(
        (predicted_classes(expected, target, threshold) != predicted_classes(served, target, threshold)).sum()
    )
    if n_flipped or not difference <= tolerance:
        raise IntegrityError(
            f"model.onnx: {n_flipped} classes differ from scikit-learn's on {len(test)} test rows, and probabilities by"
            f" up to {difference:.1e}; the package was checked with other library versions."
            " Run `dvc repro --force train`."
        )
    return Parity(onnx_used=True, rows=len(test), tolerance=tolerance)


def _class_metrics(scored: LabeledPredictions, target: Target) -> dict[str, dict[str, float | None]]:
    metrics_by_class: dict[str, dict[str, float | None]] = {}
    for code, name in enumerate(target.classes):
        score = scored.probabilities[:, code]
        one_against_rest = LabeledPredictions(
            y=(scored.y == code).astype(np.int64),
            probabilities=np.column_stack([1.0 - score, score]),
            predicted=(scored.predicted == code).astype(np.int64),
            positive=1,
        )
        values = compute_metrics(one_against_rest, ["precision", "recall", "roc_auc"])
        rounded = {metric: round_significant(value) for metric, value in values.items()}
        metrics_by_class[name] = {"rows": float((scored.y == code).sum()), **rounded}
    return metrics_by_class
