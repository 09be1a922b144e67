"""Find the slice that worsens most when a candidate replaces the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.metrics import METRICS, LabeledPredictions, compare_paired, compute_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.promotion_config import PromotionConfig
    from pipeline.package import Package

__all__ = ["WorstSlice", "worst_slice"]

_MIN_ROWS = 30


@dataclass(frozen=True, slots=True)
class WorstSlice:
    """A slice and its worsening; `lower_bound` is the near end of its interval, None where none was computed."""

    name: str
    worsening: float
    lower_bound: float | None = None


def worst_slice(
    candidate: LabeledPredictions,
    champion: LabeledPredictions,
    test: pd.DataFrame,
    *,
    package: Package,
    config: PromotionConfig,
) -> WorstSlice | None:
    """Return the slice that worsens most; None when no slice has 30 rows.

    Slices are the bins of the candidate's reference, which are also the bins of drift detection. Only a slice
    that worsens by more than allowed gets an interval. Its level is corrected for the number of slices
    (Bonferroni), because one of many would exceed the limit by chance.
    """
    metric = METRICS[config.slices.metric]
    slice_rows = [(name, rows) for name, rows in _slice_rows(test, package) if len(rows) >= _MIN_ROWS]
    confidence = 1.0 - (1.0 - config.confidence_level) / max(len(slice_rows), 1)
    slices = []
    for name, rows in slice_rows:
        candidate_rows, champion_rows = candidate.take(rows), champion.take(rows)
        difference = (
            compute_metrics(candidate_rows, [metric.name])[metric.name]
            - compute_metrics(champion_rows, [metric.name])[metric.name]
        )
        worsening = -difference if metric.higher_is_better else difference
        if np.isnan(worsening):
            continue
        if worsening <= config.slices.max_worsening:
            slices.append(WorstSlice(name, worsening))
            continue
        slice_ = compare_paired(candidate_rows, champion_rows, [metric.name], confidence_level=confidence)[metric.name]
        better_end = slice_.high if metric.higher_is_better else slice_.low
        at_least = None if better_end is None else -better_end if metric.higher_is_better else better_end
        slices.append(WorstSlice(name, worsening, at_least))
    return max(
        slices,
        key=lambda slice_: (slice_.lower_bound if slice_.lower_bound is not None else 0.0, slice_.worsening),
        default=None,
    )


def _slice_rows(test: pd.DataFrame, package: Package) -> Iterator[tuple[str, NDArray[np.intp]]]:
    for bins in package.reference.columns:
        codes = bins.codes(test[bins.name])
        for code, label in enumerate(bins.labels):
            yield f"{bins.name} {label}", np.flatnonzero(codes == code)
