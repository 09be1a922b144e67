"""Judge a package on rows that it never saw, from every side that a reviewer would ask about."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.evaluation.curves import curve_tables
from pipeline.evaluation.evaluation_report import Baseline, EvaluationReport, Parity
from pipeline.evaluation.importance import importance_table, permutation_importance
from pipeline.evaluation.slices import evaluate_slices
from pipeline.metrics import (
    LabeledPredictions,
    WeightedPredictions,
    compare_paired,
    compute_metrics,
    estimate_metrics,
    round_significant,
)
from pipeline.modeling.baselines import BASELINES, baseline_metric_names, fit_baseline
from pipeline.modeling.classifier import encode_target, predicted_classes
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.training_config import EvaluationConfig
    from pipeline.package import Package
    from pipeline.schema import Schema, Target

__all__ = ["evaluate"]


def evaluate(
    package: Package,
    train: pd.DataFrame,
    test: pd.DataFrame,
    config: EvaluationConfig,
    *,
    objective: str,
    seed: int,
) -> EvaluationReport:
    """Return what the rows of `test` say about a package; the same for any number of threads.

    Parameters
    ----------
    package : Package
    train : DataFrame
        Rows that the package was fitted to: baselines learn from them, slices take their quantiles.
    test : DataFrame
        Rows that it never saw, with the target.
    config : EvaluationConfig
    objective : str
        The metric that training compares by.
    seed : int
        Seed of resamples, shuffles and baselines.

    Raises
    ------
    DataError
        When rows are not what the package's schema declares.
    IntegrityError
        When the served form and scikit-learn disagree on a test row.
    UnknownKind
        When a metric is in no table.
    """
    from threadpoolctl import threadpool_limits

    target = package.schema.target
    codes = encode_target(test, target)
    names = tuple(dict.fromkeys((*config.metrics, objective, *baseline_metric_names(objective))))
    sampling: dict[str, Any] = {
        "confidence_level": config.confidence_level,
        "n_resamples": config.bootstrap_samples,
        "seed": seed,
    }
    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=1) as beside:
        probabilities = package.predict_proba(test)
        scored = make_scored_rows(
            target, codes, probabilities, threshold=package.threshold, n_bins=config.calibration_bins
        )
        # Importing scikit-learn takes as long as all resamples together: what needs it goes beside them.
        baselines = beside.submit(_compare_baselines, scored, train, test, package.schema, names, sampling)
        parity = beside.submit(_check_parity, package, test, probabilities)
        slices, too_small = evaluate_slices(scored, train, test, package.schema, config, seed=seed)
        repeats = config.importance_repeats
        importance = permutation_importance(
            package.serving_classifier, test, codes, metric=objective, repeats=repeats, seed=seed
        )
        return EvaluationReport(
            package=package,
            metrics=estimate_metrics(scored, names, **sampling),
            by_class=_class_metrics(scored, target),
            confusion=WeightedPredictions(scored).confusion[0].astype(np.int64),
            baselines=baselines.result(),
            slices=slices,
            too_small_slices=too_small,
            importance=importance,
            tables={**curve_tables(scored, target.classes), "importance": importance_table(importance)},
            parity=parity.result(),
            objective=objective,
            confidence=config.confidence_level,
            n_train=len(train),
        )


def _compare_baselines(
    scored: LabeledPredictions,
    train: pd.DataFrame,
    test: pd.DataFrame,
    schema: Schema,
    names: tuple[str, ...],
    sampling: dict[str, Any],
) -> dict[str, Baseline]:
    found = {}
    for name in BASELINES:
        fitted = fit_baseline(name, train, schema, seed=sampling["seed"])
        probabilities = fitted.predict_proba(test)
        other = make_scored_rows(
            schema.target, scored.y, probabilities, threshold=fitted.threshold, n_bins=scored.n_bins
        )
        metrics = {one: round_significant(value) for one, value in compute_metrics(other, names).items()}
        found[name] = Baseline(metrics, compare_paired(scored, other, names, **sampling))
    return found


def _check_parity(package: Package, test: pd.DataFrame, served: NDArray[np.float64]) -> Parity:
    """Compare what is served with scikit-learn once more, on the rows that are judged."""
    if not package.onnx_used:
        return Parity(onnx_used=False, rows=len(test), tolerance=None)
    expected = package.sklearn_classifier().predict_proba(test)
    difference, tolerance = float(np.abs(expected - served).max()), package.manifest.onnx.tolerance
    target, threshold = package.schema.target, package.threshold
    flipped = int(
        (predicted_classes(expected, target, threshold) != predicted_classes(served, target, threshold)).sum()
    )
    if flipped or not difference <= tolerance:
        raise IntegrityError(
            f"model.onnx: {flipped} classes differ from scikit-learn's on {len(test)} test rows, and probabilities by up"
            f" to {difference:.1e}; the package was proved on other libraries. Run `dvc repro --force train`."
        )
    return Parity(onnx_used=True, rows=len(test), tolerance=tolerance)


def _class_metrics(scored: LabeledPredictions, target: Target) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for code, name in enumerate(target.classes):
        inside = scored.probabilities[:, code]
        against = LabeledPredictions(
            y=(scored.y == code).astype(np.int64),
            probabilities=np.column_stack([1.0 - inside, inside]),
            predicted=(scored.predicted == code).astype(np.int64),
            positive=1,
        )
        figures = compute_metrics(against, ["precision", "recall", "roc_auc"])
        rows = float((scored.y == code).sum())
        found[name] = {"rows": rows, **{one: round_significant(value) for one, value in figures.items()}}
    return found
