"""Describe the training values of a column in one line, to compare the value of a row with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.text import percent, shorten

if TYPE_CHECKING:
    from pipeline.package.bins import Bins

__all__ = ["TrainingValues", "training_values"]

_MAX_WORDS = 3


@dataclass(frozen=True, slots=True)
class TrainingValues:
    """The values of the training rows as text, and why a value is outside of them; empty when it is inside."""

    text: str
    outside_reason: str


def training_values(bins: Bins, value: Any) -> TrainingValues:
    """Return the range of numbers and dates without outliers, or the most frequent words with their shares.

    Parameters
    ----------
    bins : Bins
    value : plain value
        The value of a row in the column of the bins; None where it is missing.
    """
    return TrainingValues(_describe(bins), _outside_reason(bins, value))


def _describe(bins: Bins) -> str:
    n_rows = sum(bins.counts)
    if not bins.is_words:
        points = bins.points
        if not points:
            return "no values"
        return (
            _number_text(bins, points[0])
            if points[0] == points[-1]
            else " to ".join(_number_text(bins, point) for point in (points[0], points[-1]))
        )
    counted = sorted(zip(bins.points, bins.counts, strict=False), key=lambda pair: (-pair[1], str(pair[0])))
    words = [f"{shorten(word, 30)} {percent(n / n_rows)}" for word, n in counted[:_MAX_WORDS] if n]
    n_more = sum(1 for _, n in counted[_MAX_WORDS:] if n)
    return ", ".join([*words, *([f"{n_more} more"] if n_more else [])]) or "no values"


def _number_text(bins: Bins, point: float) -> str:
    if bins.is_date:
        return str(np.datetime64(int(point), "us").astype("datetime64[D]"))
    return f"{point:.6g}"


def _outside_reason(bins: Bins, value: Any) -> str:
    if value is None:
        return ""
    try:
        number = _microseconds(value) if bins.is_date else value
        return bins.outside_reasons[int(bins.codes([number])[0])]
    except (DataError, ValueError, TypeError):  # a value that another schema allowed
        return "not comparable"


def _microseconds(value: str) -> float:
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6
