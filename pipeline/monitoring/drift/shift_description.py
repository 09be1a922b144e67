"""Say in words how the distribution of a column moved."""

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
    """A few words, and which way."""

    summary: str
    direction: str


def describe_shift(bins: Bins, reference: Ints, current: Ints, *, missing_first: bool = False) -> DistributionShift:
    """Return how counts in `bins.finest` moved: values, then missing ones, or the other way round."""
    coarse = bins.coarsen(reference), bins.coarsen(current)
    shares = [one / max(float(one.sum()), 1.0) for one in coarse]
    parts: list[str] = []
    if bins.kind == "words":
        parts = _describe_categories(bins, *shares)
        direction = "changed"
    else:
        size, mean_part = _describe_mean(bins, *coarse)
        direction = "up" if size > _MIN_MEAN_SHIFT else "down" if size < -_MIN_MEAN_SHIFT else "changed"
        parts = [mean_part, *_describe_shape(bins, *shares, is_same_mean=direction == "changed")]
    missing = _describe_missing(*shares)
    said = [one for one in ([missing, *parts] if missing_first else [*parts, missing]) if one]
    return DistributionShift("; ".join(said) or "no change worth saying", direction if said else "changed")


def _describe_missing(before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
    return _describe_share("share of missing", before[-1], after[-1], least=_MIN_SHARE_CHANGE)


def _describe_categories(bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64]) -> list[str]:
    n = len(bins.points)
    change = after[:n] - before[:n]
    order = np.argsort(-np.abs(change), kind="stable")[:2]
    said = [
        _describe_share(f"share of {bins.points[i]!r}", before[i], after[i], least=_MIN_SHARE_CHANGE) for i in order
    ]
    return [*said, _describe_share("share of words never declared", before[n], after[n], least=1e-9)]


def _describe_shape(
    bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64], *, is_same_mean: bool
) -> list[str]:
    """Return what is said of values outside of training and, where the mean stayed, of the bin that changed most."""
    n = bins.n_bins - (4 if bins.kind == "values" else 3)
    said = []
    if n > 0:
        said = [
            _describe_share("share below all of training", before[n], after[n], least=_MIN_SHARE_CHANGE),
            _describe_share("share above all of training", before[n + 1], after[n + 1], least=_MIN_SHARE_CHANGE),
        ]
    if bins.kind == "values":
        said.append(_describe_share("share of values never seen", before[n + 2], after[n + 2], least=1e-9))
    if is_same_mean and n > 0:
        i = int(np.argmax(np.abs(after[:n] - before[:n])))
        said.append(_describe_share(f"share of {bins.labels[i]}", before[i], after[i], least=_MIN_SHARE_CHANGE))
    return said


def _describe_mean(bins: Bins, before: Ints, after: Ints) -> tuple[float, str]:
    """Return how far the mean moved in standard deviations, and in words; values outside count as lying on the edge."""
    points = np.array(bins.points, dtype=np.float64)
    if len(points) == 0:
        return 0.0, ""
    centres = points if bins.kind == "values" else (points[:-1] + points[1:]) / 2
    places = np.concatenate([centres, points[[0, -1]]])
    sides = [one[: len(places)] for one in (before, after)]
    if min(float(one.sum()) for one in sides) == 0:
        return 0.0, ""
    means = [float((places * one).sum() / one.sum()) for one in sides]
    size = (means[1] - means[0]) / bins.deviation if bins.deviation else 0.0
    if abs(size) <= _MIN_MEAN_SHIFT:
        return size, ""
    verb = "rose" if size > 0 else "fell"
    return size, f"mean {verb} from {means[0]:.3g} to {means[1]:.3g} ({abs(size):.2f} standard deviations)"


def _describe_share(what: str, before: float, after: float, *, least: float) -> str:
    if abs(after - before) < least:
        return ""
    verb = "rose" if after > before else "fell"
    return f"{what} {verb} from {percent(before)} to {percent(after)}"
