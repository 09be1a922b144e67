"""Measure permutation importance: how much a metric worsens when a feature is shuffled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import METRICS, compute_metrics, round_significant
from pipeline.modeling.row_importance import EncodedRows, used_features
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Classifier

__all__ = ["Importance", "importance_table", "permutation_importance"]

_MAX_ROWS = 10_000
_MIN_ROWS, _MAX_SCORED_ROWS = 500, 1_000_000  # over all features and repeats, so a wide table takes seconds


@dataclass(frozen=True, slots=True)
class Importance:
    """How much a metric worsens when the values of one feature are shuffled among the rows.

    `mean`, standard deviation `spread`, `low` and `high` (minimum and maximum) are over the shuffles, in the
    unit of the metric. Values above 0 are worse for any metric.
    """

    column: str
    metric: str
    mean: float | None
    spread: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def permutation_importance(
    classifier: Classifier, frame: pd.DataFrame, codes: NDArray[np.int64], *, metric: str, repeats: int, seed: int
) -> list[Importance]:
    """Return the importance of every encoded feature, greatest first (permutation importance, Breiman 2001).

    A feature is shuffled as a whole, with all matrix columns that encode it or are derived from it. Correlated
    features lower each other's importance: each alone looks less important than both together.

    Parameters
    ----------
    classifier : Classifier
        In either form: scikit-learn's or ONNX.
    frame : DataFrame
        Rows that the classifier was not fitted to. At most 10,000 of them are sampled, fewer (at least 500) where
        features and repeats would score more than 1,000,000 rows.
    codes : int, shape (len(frame),)
        True classes.
    metric : str
        Member of `METRICS`.
    repeats : int
        Shuffles of each feature.
    seed : int
    """
    rng = np.random.default_rng(seed)
    rows = EncodedRows(classifier, frame, codes)
    if len(rows.matrix) > _MAX_ROWS:
        rows = rows.sample(_MAX_ROWS, rng)
    used = used_features(rows, seed=seed)
    n_rows = max(_MIN_ROWS, _MAX_SCORED_ROWS // max(1, len(used) * repeats))
    if len(rows.matrix) > n_rows:
        rows = rows.sample(n_rows, rng)
    before = _metric_value(rows, metric)
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    importances = []
    for name in rows.features:
        worse = np.zeros(repeats)
        for repeat in range(repeats):
            order = rng.permutation(len(rows.matrix))
            if name in used:
                with rows.shuffled([name], order):
                    worse[repeat] = sign * (before - _metric_value(rows, metric))
        importances.append(_summarize_repeats(name, metric, worse))
    return sorted(importances, key=lambda feature: (feature.mean is None, -(feature.mean or 0.0), feature.column))


def _metric_value(rows: EncodedRows, metric: str) -> float:
    """Return a metric of the calibrated probabilities."""
    target = rows.classifier.schema.target
    scored = make_scored_rows(target, rows.codes, rows.calibrated_probabilities(), threshold=rows.thresholds)
    return compute_metrics(scored, [metric])[metric]


def _summarize_repeats(column: str, metric: str, worsenings: NDArray[np.float64]) -> Importance:
    statistics = (
        worsenings.mean(),
        worsenings.std(ddof=1) if len(worsenings) > 1 else 0.0,
        worsenings.min(),
        worsenings.max(),
    )
    return Importance(column, metric, *map(round_significant, statistics))


def importance_table(importances: Sequence[Importance]) -> pd.DataFrame:
    """Return `column`, `worsening` (mean), `low` and `high` for `dvc plots`, greatest first."""
    import pandas as pd

    return pd.DataFrame(
        {
            "column": [feature.column for feature in importances],
            "worsening": [feature.mean for feature in importances],
            "low": [feature.low for feature in importances],
            "high": [feature.high for feature in importances],
        }
    )
