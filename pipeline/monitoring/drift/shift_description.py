"""Describe in one line how the distribution of a column changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.text import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.package import Bins

    Ints = NDArray[np.int64]

__all__ = ["DistributionShift", "describe_shift"]

_MIN_SHARE_CHANGE = 0.01  # change of a share
_MIN_MEAN_SHIFT = 0.05  # standard deviations


@dataclass(frozen=True, slots=True)
class DistributionShift:
    """A description of a change and its direction: up, down or changed."""

    summary: str
    direction: str


def describe_shift(bins: Bins, reference: Ints, current: Ints, *, is_missing_first: bool = False) -> DistributionShift:
    """Return how counts in `bins.finest` changed: values, then missing values, or missing values first."""
    coarse = bins.coarsen(reference), bins.coarsen(current)
    shares = [counts / max(float(counts.sum()), 1.0) for counts in coarse]
    parts: list[str] = []
    if bins.kind == "words":
        parts = _describe_categories(bins, *shares)
        direction = "changed"
    else:
        size, mean_part = _describe_mean(bins, *coarse)
        direction = "up" if size > _MIN_MEAN_SHIFT else "down" if size < -_MIN_MEAN_SHIFT else "changed"
        parts = [mean_part, *_describe_shape(bins, *shares, is_same_mean=direction == "changed")]
    missing = _describe_missing(*shares)
    changes = [part for part in ([missing, *parts] if is_missing_first else [*parts, missing]) if part]
    return DistributionShift("; ".join(changes) or "no notable change", direction if changes else "changed")


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
    return [*changes, _describe_share("share of undeclared categories", before[n], after[n], min_change=1e-9)]


def _describe_shape(
    bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64], *, is_same_mean: bool
) -> list[str]:
    """Return changes of values outside of training and, where the mean is the same, of the bin that changed most."""
    n = bins.n_bins - (4 if bins.kind == "values" else 3)
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
    points = np.array(bins.points, dtype=np.float64)
    if len(points) == 0:
        return 0.0, ""
    centers = points if bins.kind == "values" else (points[:-1] + points[1:]) / 2
    places = np.concatenate([centers, points[[0, -1]]])
    sides = [counts[: len(places)] for counts in (before, after)]
    if min(float(counts.sum()) for counts in sides) == 0:
        return 0.0, ""
    means = [float((places * counts).sum() / counts.sum()) for counts in sides]
    size = (means[1] - means[0]) / bins.deviation if bins.deviation else 0.0
    if abs(size) <= _MIN_MEAN_SHIFT:
        return size, ""
    verb = "rose" if size > 0 else "fell"
    return size, f"mean {verb} from {means[0]:.3g} to {means[1]:.3g} ({abs(size):.2f} standard deviations)"


def _describe_share(label: str, before: float, after: float, *, min_change: float) -> str:
    if abs(after - before) < min_change:
        return ""
    verb = "rose" if after > before else "fell"
    return f"{label} {verb} from {percent(before)} to {percent(after)}"
