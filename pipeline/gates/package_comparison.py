"""Compare the metrics of two packages on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.metrics import compare_paired
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.metrics import LabeledPredictions, MetricEstimate
    from pipeline.package import Package

__all__ = ["compare_packages", "score_with_both"]


def compare_packages(
    new: Package, old: Package, rows: pd.DataFrame, *, names: Sequence[str], confidence_level: float, n_bins: int = 10
) -> dict[str, MetricEstimate]:
    """Return the paired differences new minus old; empty when one of them cannot score the rows.

    Parameters
    ----------
    new, old : Package
    rows : DataFrame
        With the target; neither package was fitted to them.
    names : sequence of str
        Members of `METRICS`.
    confidence_level : float between 0 and 1
    n_bins : int
        Bins of the calibration error.
    """
    scored = score_with_both(new, old, rows, n_bins=n_bins)
    return {} if scored is None else compare_paired(*scored, names, confidence_level=confidence_level)


def score_with_both(
    new: Package, old: Package, rows: pd.DataFrame, *, n_bins: int = 10
) -> tuple[LabeledPredictions, LabeledPredictions] | None:
    """Return the rows scored by `new` and by `old`; None when one of them cannot score the rows."""
    features = (*old.schema.feature_names, *new.schema.feature_names)
    if old.classes != new.classes or any(name not in rows for name in features):
        return None
    target = new.schema.target
    codes = encode_target(rows, target)
    scored, other = (
        make_scored_rows(
            target, codes, package.predict_proba(rows), threshold=package.row_thresholds(rows), n_bins=n_bins
        )
        for package in (new, old)
    )
    return scored, other
