"""Ask a model to tell the rows of a window from those of the reference: columns may move together though none moves alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.training_config import EstimatorInputsConfig, FeaturesConfig
from pipeline.modeling.encoder import make_encoder

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.monitoring_config import MultivariateDriftConfig
    from pipeline.monitoring.drift.drift_report import DriftVerdict
    from pipeline.schema import Schema

    Floats = NDArray[np.float64]

__all__ = ["DomainAuc", "auc_interval", "domain_auc"]

_N_FOLDS = 5
_FEATURES_CONFIG = FeaturesConfig(
    missing="native", imputation="median", missing_indicators="never", categories="codes", scale="none"
)
_INPUTS_CONFIG = EstimatorInputsConfig(missing="native", categories="codes", scale="none")


@dataclass(frozen=True, slots=True)
class DomainAuc:
    """How well a model, judged out of fold, tells live rows from reference rows; 0.5 is not at all.

    It drifts when `value` is above `limit` and the interval from `low` to `high` leaves 0.5 out.
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
        if self.low <= 0.5:
            return "stable"
        if self.value > self.threshold:
            return "drift"
        return "watch" if self.value - 0.5 > (self.threshold - 0.5) / 2 else "stable"

    @property
    def summary(self) -> str:
        """What it means, for a person."""
        if self.value is None or self.low is None or self.high is None:
            return "too few rows for a model to tell the two sides apart"
        return (
            f"a model tells live rows from training rows with AUC {self.value:.3f} ({self.low:.3f} to {self.high:.3f})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 6 significant digits."""
        figures = {"value": self.value, "low": self.low, "high": self.high, "limit": self.threshold}
        plain = {name: None if one is None else float(f"{one:.6g}") for name, one in figures.items()}
        return {
            **plain,
            "verdict": self.verdict,
            "words": self.summary,
            "n_reference": self.n_reference,
            "n_rows": self.n_rows,
        }


def domain_auc(
    reference: pd.DataFrame,
    window: pd.DataFrame,
    schema: Schema,
    config: MultivariateDriftConfig,
    *,
    min_rows: int,
    confidence_level: float,
    seed: int,
) -> DomainAuc:
    """Return the out-of-fold AUC of gradient-boosted trees that learn which side a row is from.

    Parameters
    ----------
    reference, window : DataFrame
        Rows with the declared features; of more than `config.max_rows` as many are drawn from each.
    schema : Schema
    config : MultivariateDriftConfig
    min_rows : int
        With fewer on either side nothing is fitted.
    confidence : float between 0 and 1
        Level of the interval.
    seed : int
    """
    import pandas as pd
    from threadpoolctl import threadpool_limits

    if min(len(reference), len(window)) < max(min_rows, 2 * _N_FOLDS):
        return DomainAuc(None, None, None, config.auc, len(reference), len(window))
    rng = np.random.default_rng(seed)
    names = list(schema.feature_names)
    sides = [_subsample(one[names], config.max_rows, rng) for one in (reference, window)]
    matrix = make_encoder(schema, _FEATURES_CONFIG, _INPUTS_CONFIG).fit_transform(pd.concat(sides, ignore_index=True))
    is_live = np.repeat([False, True], [len(one) for one in sides])
    with threadpool_limits(limits=1):
        scores = _out_of_fold_scores(np.asarray(matrix, dtype=np.float64), is_live, rng, seed)
    value, low, high = auc_interval(scores, is_live, confidence_level)
    return DomainAuc(value, low, high, config.auc, len(sides[0]), len(sides[1]))


def _subsample(rows: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    return rows if len(rows) <= most else rows.iloc[np.sort(rng.choice(len(rows), most, replace=False))]


def _out_of_fold_scores(matrix: Floats, is_live: NDArray[np.bool_], rng: np.random.Generator, seed: int) -> Floats:
    """Return a score for each row by a model that never saw it; sides weigh the same."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    fold = np.empty(len(is_live), dtype=np.int64)
    for side in (False, True):
        rows = np.flatnonzero(is_live == side)
        fold[rng.permutation(rows)] = np.arange(len(rows)) % _N_FOLDS
    scores = np.empty(len(is_live))
    for held in range(_N_FOLDS):
        learn = fold != held
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=20,
            early_stopping=False,
            class_weight="balanced",
            random_state=seed,
        )
        model.fit(matrix[learn], is_live[learn])
        scores[~learn] = model.predict_proba(matrix[~learn])[:, 1]
    return scores


def auc_interval(scores: Floats, is_positive: NDArray[np.bool_], confidence_level: float) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its interval (DeLong, DeLong and Clarke-Pearson 1988, by midranks)."""
    from scipy.special import ndtri

    hits, misses = scores[is_positive], scores[~is_positive]
    above = _placements(hits, misses)
    below = 1.0 - _placements(misses, hits)
    value = float(above.mean())
    spread = math.sqrt(above.var(ddof=1) / len(hits) + below.var(ddof=1) / len(misses))
    reach = float(ndtri(0.5 + confidence_level / 2)) * spread
    return value, max(0.0, value - reach), min(1.0, value + reach)


def _placements(values: Floats, others: Floats) -> Floats:
    """Return for each of `values` the share of `others` below it, ties half."""
    ranked = np.sort(others)
    both = np.searchsorted(ranked, values, side="left") + np.searchsorted(ranked, values, side="right")
    return np.asarray(both / (2.0 * len(others)))
