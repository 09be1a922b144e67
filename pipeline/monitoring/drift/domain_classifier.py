"""Detect multivariate drift with a domain classifier: a model that separates live rows from reference rows.

It detects changes of the joint distribution that no single column shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.model_config import EstimatorInputsConfig
from pipeline.modeling.encoding import make_encoder
from pipeline.modeling.encoding.methods import PLAIN_FEATURES, plain_columns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.drift_config import MultivariateDriftConfig
    from pipeline.monitoring.drift.verdict_severity import DriftVerdict
    from pipeline.schema import Schema

    Floats = NDArray[np.float64]

__all__ = ["DomainAuc", "auc_interval", "domain_auc"]

_N_FOLDS = 5
_CHANCE = 0.5  # AUC of a model that separates nothing
_INPUTS_CONFIG = EstimatorInputsConfig(missing="native", categories="codes", scale="none")


@dataclass(frozen=True, slots=True)
class DomainAuc:
    """The out-of-fold AUC of a model that separates live rows from reference rows; 0.5 means equal distributions.

    The verdict is drift when `value` is above `threshold` and the interval from `low` to `high` excludes 0.5.
    """

    value: float | None
    low: float | None
    high: float | None
    threshold: float
    n_reference: int
    n_rows: int

    @property
    def verdict(self) -> DriftVerdict:
        """Drift, watch, stable, or not enough data."""
        if self.value is None or self.low is None:
            return "not_enough_data"
        if self.low <= _CHANCE:
            return "stable"
        if self.value > self.threshold:
            return "drift"
        return "watch" if self.value - _CHANCE > (self.threshold - _CHANCE) / 2 else "stable"

    @property
    def summary(self) -> str:
        """One sentence for people."""
        if self.value is None or self.low is None or self.high is None:
            return "too few rows for a domain classifier"
        interval = f"{self.low:.3f} to {self.high:.3f}"
        is_chance, is_small = self.low <= _CHANCE, self.verdict == "stable"
        statement = f"{'no model' if is_chance else 'a model hardly' if is_small else 'a model'} separates"
        limit = f"interval {interval}, limit {self.threshold:g}"
        return f"{statement} live rows from reference rows: AUC {self.value:.3f} ({limit})"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 6 significant digits."""
        numbers = {"value": self.value, "low": self.low, "high": self.high, "threshold": self.threshold}
        rounded = {name: None if number is None else float(f"{number:.6g}") for name, number in numbers.items()}
        return {
            **rounded,
            "verdict": self.verdict,
            "summary": self.summary,
            "n_reference": self.n_reference,
            "n_rows": self.n_rows,
        }


def domain_auc(
    reference: pd.DataFrame,
    window: pd.DataFrame,
    schema: Schema,
    *,
    config: MultivariateDriftConfig,
    min_rows: int,
    confidence_level: float,
    seed: int,
) -> DomainAuc:
    """Return the out-of-fold AUC of gradient-boosted trees that learn which side a row is from.

    Parameters
    ----------
    reference, window : DataFrame
        Rows with the declared features; a sample of `config.max_rows` of each where there are more. Dates are left out.
    schema : Schema
    config : MultivariateDriftConfig
    min_rows : int
        With fewer rows on either side no model is fitted.
    confidence_level : float between 0 and 1
        Level of the interval.
    seed : int
    """
    import pandas as pd
    from threadpoolctl import threadpool_limits

    # Later rows have later dates: with them any two sides are separable.
    schema = replace(schema, columns=tuple(column for column in schema.features if column.kind != "datetime"))
    if not schema.columns or min(len(reference), len(window)) < max(min_rows, 2 * _N_FOLDS):
        return DomainAuc(None, None, None, config.auc, len(reference), len(window))
    rng = np.random.default_rng(seed)
    names = list(schema.feature_names)
    sides = [_subsample(frame[names], config.max_rows, rng) for frame in (reference, window)]
    encoder = make_encoder(plain_columns(schema), PLAIN_FEATURES, _INPUTS_CONFIG)
    matrix = encoder.fit_transform(pd.concat(sides, ignore_index=True))
    is_live = np.repeat([False, True], [len(side) for side in sides])
    with threadpool_limits(limits=1):
        scores = _out_of_fold_scores(np.asarray(matrix, dtype=np.float64), is_live, rng, seed)
    value, low, high = auc_interval(scores, is_live, confidence_level)
    return DomainAuc(value, low, high, config.auc, len(sides[0]), len(sides[1]))


def _subsample(rows: pd.DataFrame, max_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    return rows if len(rows) <= max_rows else rows.iloc[np.sort(rng.choice(len(rows), max_rows, replace=False))]


def _out_of_fold_scores(matrix: Floats, is_live: NDArray[np.bool_], rng: np.random.Generator, seed: int) -> Floats:
    """Return a score for each row by a model that was fitted without it; both sides have equal weight."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    fold = np.empty(len(is_live), dtype=np.int64)
    for side in (False, True):
        rows = np.flatnonzero(is_live == side)
        fold[rng.permutation(rows)] = np.arange(len(rows)) % _N_FOLDS
    scores = np.empty(len(is_live))
    for test_fold in range(_N_FOLDS):
        is_train = fold != test_fold
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=20,
            early_stopping=False,
            class_weight="balanced",
            random_state=seed,
        )
        model.fit(matrix[is_train], is_live[is_train])
        scores[~is_train] = model.predict_proba(matrix[~is_train])[:, 1]
    return scores


def auc_interval(scores: Floats, is_positive: NDArray[np.bool_], confidence_level: float) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its interval (DeLong, DeLong and Clarke-Pearson 1988, by midranks)."""
    from scipy.special import ndtri

    positive, negative = scores[is_positive], scores[~is_positive]
    above = _placements(positive, negative)
    below = 1.0 - _placements(negative, positive)
    value = float(above.mean())
    standard_error = math.sqrt(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    half_width = float(ndtri(0.5 + confidence_level / 2)) * standard_error
    return value, max(0.0, value - half_width), min(1.0, value + half_width)


def _placements(values: Floats, others: Floats) -> Floats:
    """Return for each of `values` the share of `others` below it; ties count half."""
    ranked = np.sort(others)
    ranks = np.searchsorted(ranked, values, side="left") + np.searchsorted(ranked, values, side="right")
    return np.asarray(ranks / (2.0 * len(others)))
