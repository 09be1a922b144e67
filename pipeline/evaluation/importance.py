"""Measure permutation importance: how much a metric worsens when a feature is shuffled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import METRICS, compute_metrics, round_significant
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Classifier

__all__ = ["Importance", "importance_table", "permutation_importance"]

_MAX_ROWS = 10_000
_MIN_ROWS, _MAX_SCORED_ROWS = 1_000, 5_000_000  # over all features and repeats, so a wide table takes seconds
_MAX_UNSCREENED, _GROUP_SIZE = 64, 16


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

    A feature is shuffled as a whole, with all matrix columns that encode it. Correlated features lower each
    other's importance: each alone looks less important than both together.

    Parameters
    ----------
    classifier : Classifier
        In either form: scikit-learn's or ONNX.
    frame : DataFrame
        Rows that the classifier was not fitted to. At most 10,000 of them are sampled, fewer (at least 1,000) where
        features and repeats would score more than 5,000,000 rows.
    codes : int, shape (len(frame),)
        True classes.
    metric : str
        Member of `METRICS`.
    repeats : int
        Shuffles of each feature.
    seed : int
    """
    rng = np.random.default_rng(seed)
    matrix = classifier.encoder.transform(frame)
    if len(matrix) > _MAX_ROWS:
        matrix, codes = _sample_rows(matrix, codes, _MAX_ROWS, rng=rng)
    groups = _feature_columns(classifier)
    used = _used_features(classifier, matrix, groups, seed=seed)
    n_rows = max(_MIN_ROWS, _MAX_SCORED_ROWS // max(1, len(used) * repeats))
    if len(matrix) > n_rows:
        matrix, codes = _sample_rows(matrix, codes, n_rows, rng=rng)
    before = _metric_value(classifier, matrix, codes, metric=metric)
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    importances = []
    for name, columns in groups.items():
        worse = np.zeros(repeats)
        original = matrix[:, columns].copy()
        for repeat in range(repeats):
            order = rng.permutation(len(matrix))
            if name in used:
                matrix[:, columns] = original[order]
                worse[repeat] = sign * (before - _metric_value(classifier, matrix, codes, metric=metric))
        matrix[:, columns] = original
        importances.append(_summarize_repeats(name, metric, worse))
    return sorted(importances, key=lambda feature: (feature.mean is None, -(feature.mean or 0.0), feature.column))


def _sample_rows(
    matrix: NDArray[np.float32], codes: NDArray[np.int64], n_rows: int, *, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rows = np.sort(rng.choice(len(matrix), n_rows, replace=False))
    return matrix[rows], codes[rows]


def _feature_columns(classifier: Classifier) -> dict[str, slice]:
    """Return the matrix columns that encode each feature."""
    columns, at = {}, 0
    for plan in classifier.encoder.encodings_:
        columns[plan.name] = slice(at, at + len(plan.output_names))
        at += len(plan.output_names)
    return columns


def _used_features(
    classifier: Classifier, matrix: NDArray[np.float32], groups: Mapping[str, slice], *, seed: int
) -> set[str]:
    """Return the features that change a prediction when they are shuffled, found by shuffling ever smaller groups.

    Trees read few features of a wide table. The predictions stay the same to the bit when a group is shuffled that
    no tree reads, so its features need no shuffles of their own.
    """
    names = list(groups)
    if len(names) <= _MAX_UNSCREENED:
        return set(names)
    expected = classifier.uncalibrated_proba(matrix)
    order = np.random.default_rng(seed).permutation(len(matrix))
    used, pending = set(), [names[start : start + _GROUP_SIZE] for start in range(0, len(names), _GROUP_SIZE)]
    while pending:
        group = pending.pop()
        original = {name: matrix[:, groups[name]].copy() for name in group}
        for name in group:
            matrix[:, groups[name]] = original[name][order]
        is_read = not np.array_equal(classifier.uncalibrated_proba(matrix), expected)
        for name in group:
            matrix[:, groups[name]] = original[name]
        if is_read and len(group) == 1:
            used.update(group)
        elif is_read:
            middle = len(group) // 2
            pending += [group[:middle], group[middle:]]
    return used


def _metric_value(
    classifier: Classifier, matrix: NDArray[np.float32], codes: NDArray[np.int64], *, metric: str
) -> float:
    probabilities = classifier.calibration.apply(classifier.uncalibrated_proba(matrix))
    scored = make_scored_rows(classifier.schema.target, codes, probabilities, threshold=classifier.threshold)
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
