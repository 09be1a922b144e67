"""Name the bins of a distribution in words, and write the filters that select their rows in the prediction log."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.package import Bins

__all__ = ["bin_filters", "bin_words"]

_MAX_EXCLUDED = 12


def bin_words(labels: Sequence[str]) -> list[str]:
    """Return labels of bins for people; those outside of training say what they hold.

    Parameters
    ----------
    labels : sequence of str
        `Bins.labels`, in their order.

    Examples
    --------
    >>> bin_words(["0", "1", "2", "below", "above", "unseen", "missing"])
    ['0', '1', '2', 'below 0', 'above 2', 'not seen in training', 'missing']
    >>> bin_words(["0.5 to 1.123456", "1.123456 to 3", "below", "above", "missing"])
    ['0.5 to 1.12', '1.12 to 3', 'below 0.5', 'above 3', 'missing']
    >>> bin_words(["No", "Yes", "unseen", "missing"])
    ['No', 'Yes', 'not seen in training', 'missing']
    """
    n_outside = _n_outside(labels)
    inside, outside = list(labels[: len(labels) - n_outside]), labels[len(labels) - n_outside :]
    low = inside[0].partition(" to ")[0] if inside else ""
    high = inside[-1].rpartition(" to ")[2] if inside else ""
    words = {
        "below": f"below {_short_number(low)}".rstrip(),
        "above": f"above {_short_number(high)}".rstrip(),
        "unseen": "not seen in training",
        "other": "other words",
    }
    return [*map(_short_interval, inside), *(words.get(label, label) for label in outside)]


def bin_filters(bins: Bins) -> tuple[tuple[str, ...], ...]:
    """Return for each bin the filters of the prediction log that its rows meet, in the order of `bins.labels`.

    A bin without an exact filter has none: counts of texts, dates, and unseen words beside many known ones.

    Examples
    --------
    >>> from pipeline.package.bins import Bins
    >>> bin_filters(Bins("age", "values", (0, 1), (5, 5, 0, 0, 0, 0)))
    (('age=0',), ('age=1',), ('age<0',), ('age>1',), (), ('age is missing',))
    """
    name, points = bins.column, bins.points
    if bins.measure is not None or bins.is_date:
        return ((),) * bins.n_bins
    missing = (f"{name} is missing",)
    if bins.is_words:
        excluded = tuple(f"{name}!={point}" for point in points) if len(points) <= _MAX_EXCLUDED else ()
        return (*((f"{name}={point}",) for point in points), excluded, missing)
    if not points:
        return ((),) * bins.n_bins
    outside = (f"{name}<{points[0]:.17g}",), (f"{name}>{points[-1]:.17g}",)
    if bins.kind == "values":
        return (*((f"{name}={point:.17g}",) for point in points), *outside, (), missing)
    inside = [
        (f"{name}>{'=' if i == 0 else ''}{low:.17g}", f"{name}<={high:.17g}")
        for i, (low, high) in enumerate(itertools.pairwise(points))
    ]
    return (*inside, *outside, missing)


def _n_outside(labels: Sequence[str]) -> int:
    """Return how many bins at the end hold no value or none of the training rows."""
    tails = (("below", "above", "unseen", "missing"), ("below", "above", "missing"), ("unseen", "missing"))
    return next((len(tail) for tail in (*tails, ("other", "missing")) if tuple(labels[-len(tail) :]) == tail), 0)


def _short_interval(label: str) -> str:
    low, separator, high = label.partition(" to ")
    if not separator or math.isnan(_number(low)) or math.isnan(_number(high)):
        return label
    return f"{_short_number(low)} to {_short_number(high)}"


def _short_number(text: str) -> str:
    number = _number(text)
    return text if math.isnan(number) or len(text) <= 4 else f"{number:.3g}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
