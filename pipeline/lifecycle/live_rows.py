"""Judge rows that somebody hands over as the monitor judges those of the log."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.monitoring import (
    ScoreHistogram,
    calculate_realized_performance,
    count_frame,
    detect_degradation,
    detect_drift,
    domain_auc,
    estimate_performance,
    estimates_agree,
)
from pipeline.monitoring.performance.estimation import ESTIMABLE_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.monitoring import BinCounts, DriftReport
    from pipeline.package import Package

__all__ = ["evaluate_live_rows"]

_MAX_WORSENING = 0.05


def evaluate_live_rows(
    package: Package,
    rows: pd.DataFrame,
    reference: pd.DataFrame | None,
    *,
    config: Config,
    importance: Mapping[str, float],
) -> dict[str, Any]:
    """Return drift, performance and degradation of rows, with the keys of the monitor's report.

    Parameters
    ----------
    package : Package
        Says what it predicts for the rows.
    rows : DataFrame
        Columns of features; the target's column, where it is there, holds what came true.
    reference : DataFrame, optional
        Rows to compare with; those that the package was trained on when None.
    config : Config
    importance : mapping of column to number
        What the model loses when a column is shuffled; empty when it is not known.

    Raises
    ------
    DataError
        When there are no rows, or one has none of the columns.
    """
    for name, frame in (("prediction_data", rows), ("reference_data", reference)):
        if frame is not None and (len(frame) == 0 or not set(package.schema.feature_names) & set(frame.columns)):
            known = ", ".join(package.schema.feature_names)
            raise DataError(f"{name}: has no rows with columns of the model; accepted: a frame with {known}")
    whole = rows.reindex(columns=[*package.schema.feature_names, *set(rows.columns) & {package.schema.target.column}])
    probabilities = package.predict_proba(whole)
    drift = _drift_report(package, rows, whole, reference=reference, config=config, importance=importance)
    performance = _performance_report(package, whole, probabilities, config=config)
    dashboard = {
        "total_predictions": len(rows),
        "average_confidence": float(probabilities.max(axis=1).mean()),
        "n_outcomes": performance["performance"]["n_outcomes"],
    }
    told = {
        "drift_detected": drift.verdict == "drift",
        "drifted_features": list(drift.drifted_columns),
        **drift.as_dict(),
    }
    return {"dashboard": dashboard, "drift": told, **performance}


def _bin_counts(package: Package, rows: pd.DataFrame, whole: pd.DataFrame) -> BinCounts:
    probabilities, target = package.predict_proba(whole), package.schema.target
    score = probabilities.max(axis=1)
    if target.positive is not None:
        score = probabilities[:, target.classes.index(target.positive)]
    return count_frame(
        package.reference,
        rows,
        n_rows=len(rows),
        score=score,
        confidence=probabilities.max(axis=1),
        predicted=package.predict(whole),
    )


def _drift_report(
    package: Package,
    rows: pd.DataFrame,
    whole: pd.DataFrame,
    *,
    reference: pd.DataFrame | None,
    config: Config,
    importance: Mapping[str, float],
) -> DriftReport:
    names = list(package.schema.feature_names)
    known = None if reference is None else reference.reindex(columns=names)
    report = detect_drift(
        package.reference,
        _bin_counts(package, rows, whole),
        config.drift,
        min_rows=config.monitoring.min_rows,
        baseline=None if reference is None or known is None else _bin_counts(package, reference, known),
        column_thresholds={one.name: one.drift_limit for one in package.schema.columns if one.drift_limit is not None},
        importance=importance,
    )
    if known is None:
        return report
    together = domain_auc(
        known,
        whole[names],
        package.schema,
        config.drift.multivariate,
        min_rows=config.monitoring.min_rows,
        confidence_level=1 - config.drift.alpha,
        seed=config.seed,
    )
    return replace(report, multivariate=together)


def _performance_report(package: Package, rows: pd.DataFrame, probabilities: Any, *, config: Config) -> dict[str, Any]:
    target = package.schema.target
    codes = {name: code for code, name in enumerate(target.classes)}
    positive = codes[target.positive] if target.is_binary and target.positive is not None else None
    said = np.array([codes[str(one)] for one in package.predict(rows)], dtype=np.int64)
    words = [str(one) for one in rows[target.column]] if target.column in rows else [""] * len(rows)
    is_known = np.array([word in codes for word in words], dtype=bool)
    true = np.array([codes[word] for word in words if word in codes], dtype=np.int64)
    how: dict[str, Any] = {
        "confidence_level": config.monitoring.confidence_level,
        "n_resamples": config.monitoring.bootstrap_samples,
        "seed": config.seed,
    }
    known = ScoreHistogram.from_rows(probabilities[is_known], said[is_known], positive=positive, outcomes=true)
    measured = calculate_realized_performance(known, ESTIMABLE_METRICS, n_rows=len(rows), **how)
    expected = estimate_performance(
        ScoreHistogram.from_rows(probabilities, said, positive=positive), ESTIMABLE_METRICS, **how
    )
    own = {name: value for name, value in package.metrics.items() if name in ESTIMABLE_METRICS and value is not None}
    few = config.monitoring.min_rows
    found = detect_degradation(measured, own, threshold=_MAX_WORSENING, min_outcomes=few)
    return {
        "performance": {
            **{name: one.value for name, one in measured.metrics.items()},
            "total_predictions": len(rows),
            "n_outcomes": measured.n_outcomes,
            "coverage": measured.coverage,
            "expected": {name: one.as_dict() for name, one in expected.metrics.items()},
            "trusted": estimates_agree(expected, measured, min_outcomes=few),
        },
        "degradation": {
            "degradation_detected": any(one.verdict == "degraded" for one in found),
            "degraded_metrics": [one.metric for one in found if one.verdict == "degraded"],
            "findings": [{**asdict(one), "verdict": one.verdict} for one in found],
        },
    }
