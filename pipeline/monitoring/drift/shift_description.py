"""Describe what a drift test measured, and how else the distribution of a column changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.monitoring.drift.column_tests import find_rare_bin
from pipeline.text import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.monitoring.drift.column_tests import ColumnPair, ColumnTest
    from pipeline.package import Bins

    Ints = NDArray[np.int64]

__all__ = ["DistributionShift", "describe_effect", "describe_shift"]

_MIN_SHARE_CHANGE = 0.01  # change of a share
_MIN_MEAN_SHIFT = 0.05  # standard deviations


@dataclass(frozen=True, slots=True)
class DistributionShift:
    """Descriptions of notable changes, and the direction: up, down or changed."""

    changes: tuple[str, ...]
    direction: str


def describe_effect(pair: ColumnPair, test: ColumnTest) -> str:
    """Return what a test measured, with the value of its statistic or the shares that it compared."""
    if test.statistic == "missing":
        before, after = (counts[-1] / max(float(counts.sum()), 1.0) for counts in (pair.reference, pair.current))
        return _describe_share("share of missing values", before, after)
    if test.statistic == "rare_values":
        at, _ = find_rare_bin(pair)
        before, after = (counts[at] / max(float(counts.sum()), 1.0) for counts in (pair.reference, pair.current))
        return _describe_share(_bin_name(pair.bins.finest, at), before, after)
    value = f"{test.value:.3g}"
    if test.statistic == "wasserstein":
        return f"values shifted by {value} standard deviations"
    if test.statistic == "rank_biserial":
        return f"values shifted by {value} in rank (rank-biserial correlation)"
    what = "categories" if pair.bins.is_words else "bins"
    return f"shares of {what} changed by a Jensen-Shannon distance of {value}"


def describe_shift(bins: Bins, reference: Ints, current: Ints) -> DistributionShift:
    """Return how counts in `bins.finest` changed: values first, then missing values."""
    shares = [bins.coarsen(counts) / max(float(counts.sum()), 1.0) for counts in (reference, current)]
    if bins.is_words:
        parts, direction = _describe_categories(bins, *shares), "changed"
    else:
        size, mean_part = _describe_mean(bins, reference, current)
        direction = "up" if size > _MIN_MEAN_SHIFT else "down" if size < -_MIN_MEAN_SHIFT else "changed"
        parts = [mean_part, *_describe_shape(bins, *shares, is_same_mean=direction == "changed")]
    return DistributionShift(tuple(part for part in (*parts, _describe_missing(*shares)) if part), direction)


def _bin_name(bins: Bins, at: int) -> str:
    outside = {"below": "below the training range", "above": "above the training range", "unseen": "of unseen values"}
    label = bins.labels[at]
    return f"share {outside.get(label, f'of {label}') if at >= len(bins.labels) - 4 else f'of {label}'}"


def _describe_missing(before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
    return _describe_share("share of missing values", before[-1], after[-1], min_change=_MIN_SHARE_CHANGE)


def _describe_categories(bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64]) -> list[str]:
    n = len(bins.points)
    change = after[:n] - before[:n]
    order = np.argsort(-np.abs(change), kind="stable")[:2]
    changes = [
        _describe_share(f"share of {bins.points[i]!r}", before[i], after[i], min_change=_MIN_SHARE_CHANGE)
        for i in order
    ]
    rest, min_change = ("undeclared categories", 1e-9) if bins.kind == "words" else ("other words", _MIN_SHARE_CHANGE)
    return [*changes, _describe_share(f"share of {rest}", before[n], after[n], min_change=min_change)]


def _describe_shape(
    bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64], *, is_same_mean: bool
) -> list[str]:
    """Return changes of values outside of training and, where the mean is the same, of the bin that changed most."""
    n = bins.n_bins - bins.n_outside
    changes = []
    if n > 0:
        changes = [
            _describe_share("share below the training range", before[n], after[n], min_change=_MIN_SHARE_CHANGE),
            _describe_share(
                "share above the training range", before[n + 1], after[n + 1], min_change=_MIN_SHARE_CHANGE
            ),
        ]
    if bins.kind == "values":
        changes.append(_describe_share("share of unseen values", before[n + 2], after[n + 2], min_change=1e-9))
    if is_same_mean and n > 0:
        i = int(np.argmax(np.abs(after[:n] - before[:n])))
        changes.append(_describe_share(f"share of {bins.labels[i]}", before[i], after[i], min_change=_MIN_SHARE_CHANGE))
    return changes


def _describe_mean(bins: Bins, before: Ints, after: Ints) -> tuple[float, str]:
    """Return the shift of the mean in standard deviations, and its description.

    Values outside of the training range count as its nearest end.
    """
    finest = bins.finest
    points = np.array(finest.points, dtype=np.float64)
    if len(points) == 0:
        return 0.0, ""
    centers = points if finest.kind == "values" else (points[:-1] + points[1:]) / 2
    places = np.concatenate([centers, points[[0, -1]]])
    sides = [counts[: len(places)] for counts in (before, after)]
    if min(float(counts.sum()) for counts in sides) == 0:
        return 0.0, ""
    means = [float((places * counts).sum() / counts.sum()) for counts in sides]
    size = (means[1] - means[0]) / bins.deviation if bins.deviation else 0.0
    if abs(size) <= _MIN_MEAN_SHIFT:
        return size, ""
    low, high = _distinct_texts(*means)
    if bins.is_date:
        low, high = (str(np.datetime64(int(mean), "us").astype("datetime64[D]")) for mean in means)
    return size, f"mean {'rose' if size > 0 else 'fell'} from {low} to {high}"


def _distinct_texts(first: float, second: float) -> tuple[str, str]:
    """Return two different numbers with three digits, or as many as distinguish them."""
    texts = ("", "")
    for n_digits in (3, 6, 9, 12, 17):
        texts = f"{first:.{n_digits}g}", f"{second:.{n_digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _describe_share(label: str, before: float, after: float, *, min_change: float = 0.0) -> str:
    if abs(after - before) < min_change:
        return ""
    verb = "rose" if after > before else "fell"
    return f"{label} {verb} from {percent(before)} to {percent(after)}"
