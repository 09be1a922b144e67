"""Compute the curves of a classifier, each as a small table for `dvc plots` and for plots.

With two classes they describe the positive class. With more, every pair of a row and a class is one
case (micro average), so there is always one curve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.metrics import bin_indices, round_significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.metrics import LabeledPredictions

    Floats = NDArray[np.float64]

__all__ = ["calibration_table", "confusion_table", "curve_tables", "lift_table", "precision_recall_table", "roc_table"]

_MAX_POINTS = 200
_LIFT_STEPS = 50
_Z = 1.959963984540054  # 0.975 quantile of the normal distribution


def curve_tables(scored: LabeledPredictions, classes: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Return all tables of this module by the name of their file in plots/."""
    tables = {
        "calibration": calibration_table(scored),
        "confusion": confusion_table(scored, classes),
        "lift": lift_table(scored),
        "pr": precision_recall_table(scored),
        "roc": roc_table(scored),
    }
    return {name: table.map(_round_floats) for name, table in tables.items()}


def _round_floats(value: Any) -> Any:
    return round_significant(value) if isinstance(value, float) else value


def confusion_table(scored: LabeledPredictions, classes: tuple[str, ...]) -> pd.DataFrame:
    """Return `actual` and `predicted` class of each row, sorted; DVC itself counts them."""
    order = np.lexsort((scored.predicted, scored.y))
    names = np.array(classes)
    return pd.DataFrame({"actual": names[scored.y[order]], "predicted": names[scored.predicted[order]]})


def roc_table(scored: LabeledPredictions) -> pd.DataFrame:
    """Return `false_positive_rate`, `true_positive_rate` and `threshold`, the lowest score predicted as positive.

    At most 200 points, ends included; empty when all rows are of one class.
    """
    threshold, hits, misses = _cumulative_counts(*_binary_cases(scored))
    if not hits[-1] or not misses[-1]:
        return pd.DataFrame({"false_positive_rate": [], "true_positive_rate": [], "threshold": []})
    table = pd.DataFrame(
        {
            "false_positive_rate": np.concatenate([[0.0], misses / misses[-1]]),
            "true_positive_rate": np.concatenate([[0.0], hits / hits[-1]]),
            "threshold": np.concatenate([[1.0], threshold]),
        }
    )
    return _thin_points(table)


def precision_recall_table(scored: LabeledPredictions) -> pd.DataFrame:
    """Return `recall`, `precision` and `threshold`, at most 200 points; empty when no row is of the class."""
    threshold, hits, misses = _cumulative_counts(*_binary_cases(scored))
    if not hits[-1]:
        return pd.DataFrame({"recall": [], "precision": [], "threshold": []})
    return _thin_points(
        pd.DataFrame({"recall": hits / hits[-1], "precision": hits / (hits + misses), "threshold": threshold})
    )


def calibration_table(scored: LabeledPredictions) -> pd.DataFrame:
    """Return `predicted` and `observed` share by bin of the probability, with Wilson's 95 % interval and `rows`.

    Bins are of equal width; those without rows are left out.
    """
    probability, is_true = scored.confidence_and_correctness
    at = bin_indices(probability, scored.n_bins)
    rows = np.bincount(at, minlength=scored.n_bins)
    used = rows > 0
    n = rows[used].astype(np.float64)
    predicted = np.bincount(at, weights=probability, minlength=scored.n_bins)[used] / n
    observed = np.bincount(at, weights=is_true, minlength=scored.n_bins)[used] / n
    middle = (observed + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(observed * (1 - observed) / n + _Z**2 / (4 * n**2))
    return pd.DataFrame(
        {
            "predicted": predicted,
            "observed": observed,
            "low": np.clip(middle - half, 0.0, 1.0),
            "high": np.clip(middle + half, 0.0, 1.0),
            "rows": rows[used],
        }
    )


def lift_table(scored: LabeledPredictions) -> pd.DataFrame:
    """Return `share_of_rows` by descending score, the `share_found` of the class among them, and their `lift`.

    Lift is how many times more often the class occurs there than in all rows. Rows of equal score
    share their mean, so their order in the file has no effect.
    """
    _, hits, misses = _cumulative_counts(*_binary_cases(scored))
    if not hits[-1]:
        return pd.DataFrame({"share_of_rows": [], "share_found": [], "lift": []})
    total = hits + misses
    share = np.arange(1, _LIFT_STEPS + 1) / _LIFT_STEPS
    captured = np.interp(share * total[-1], np.concatenate([[0.0], total]), np.concatenate([[0.0], hits])) / hits[-1]
    return pd.DataFrame({"share_of_rows": share, "share_found": captured, "lift": captured / share})


def _binary_cases(scored: LabeledPredictions) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a score for each case and whether it is of the class."""
    if scored.positive is not None:
        return scored.probabilities[:, scored.positive], scored.y == scored.positive
    is_class = np.arange(scored.n_classes)[None, :] == scored.y[:, None]
    return scored.probabilities.ravel(), is_class.ravel()


def _cumulative_counts(score: Floats, is_class: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return each distinct score, descending, with the number of cases of the class and of others down to it."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    last = np.flatnonzero(np.append(np.diff(falling) < 0, True))
    hits = np.cumsum(is_class[order])[last].astype(np.float64)
    return falling[last], hits, last + 1.0 - hits


def _thin_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return at most 200 evenly spaced rows of `table`, with the first and the last."""
    if len(table) <= _MAX_POINTS:
        return table
    positions = np.unique(np.linspace(0, len(table) - 1, _MAX_POINTS).round().astype(int))
    return table.iloc[positions].reset_index(drop=True)
