"""Say in words how the distribution of a column moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.package import Bins

    Ints = NDArray[np.int64]

__all__ = ["Moved", "describe"]

_WORTH_SAYING = 0.01  # change of a share
_MOVED = 0.05  # standard deviations


@dataclass(frozen=True, slots=True)
class Moved:
    """A few words, and which way."""

    words: str
    direction: str


def describe(bins: Bins, reference: Ints, current: Ints, *, missing_first: bool = False) -> Moved:
    """Return how counts in `bins.finest` moved: values, then missing ones, or the other way round."""
    coarse = bins.coarsen(reference), bins.coarsen(current)
    shares = [one / max(float(one.sum()), 1.0) for one in coarse]
    parts: list[str] = []
    if bins.kind == "words":
        parts = _words(bins, *shares)
        direction = "changed"
    else:
        size, mean_part = _mean(bins, *coarse)
        direction = "up" if size > _MOVED else "down" if size < -_MOVED else "changed"
        parts = [mean_part, *_shape(bins, *shares, is_same_mean=direction == "changed")]
    missing = _missing(*shares)
    said = [one for one in ([missing, *parts] if missing_first else [*parts, missing]) if one]
    return Moved("; ".join(said) or "no change worth saying", direction if said else "changed")


def _missing(before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
    return _share("share of missing", before[-1], after[-1], least=_WORTH_SAYING)


def _words(bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64]) -> list[str]:
    n = len(bins.points)
    change = after[:n] - before[:n]
    order = np.argsort(-np.abs(change), kind="stable")[:2]
    said = [_share(f"share of {bins.points[i]!r}", before[i], after[i], least=_WORTH_SAYING) for i in order]
    return [*said, _share("share of words never declared", before[n], after[n], least=1e-9)]


def _shape(bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64], *, is_same_mean: bool) -> list[str]:
    """Return what is said of values outside of training and, where the mean stayed, of the bin that changed most."""
    n = bins.n_bins - (4 if bins.kind == "values" else 3)
    said = []
    if n > 0:
        said = [
            _share("share below all of training", before[n], after[n], least=_WORTH_SAYING),
            _share("share above all of training", before[n + 1], after[n + 1], least=_WORTH_SAYING),
        ]
    if bins.kind == "values":
        said.append(_share("share of values never seen", before[n + 2], after[n + 2], least=1e-9))
    if is_same_mean and n > 0:
        i = int(np.argmax(np.abs(after[:n] - before[:n])))
        said.append(_share(f"share of {bins.labels[i]}", before[i], after[i], least=_WORTH_SAYING))
    return said


def _mean(bins: Bins, before: Ints, after: Ints) -> tuple[float, str]:
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
    if abs(size) <= _MOVED:
        return size, ""
    verb = "rose" if size > 0 else "fell"
    return size, f"mean {verb} from {means[0]:.3g} to {means[1]:.3g} ({abs(size):.2f} standard deviations)"


def _share(what: str, before: float, after: float, *, least: float) -> str:
    if abs(after - before) < least:
        return ""
    verb = "rose" if after > before else "fell"
    return f"{what} {verb} from {_percent(before)} to {_percent(after)}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"
