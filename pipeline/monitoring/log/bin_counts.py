"""Count the rows of a window in the bins of a package's reference; counts of parts add up exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.package import Bins, Reference

    Ints = NDArray[np.int64]

__all__ = ["PREDICTION_OUTPUTS", "BinCounts", "count_frame", "reference_counts"]

PREDICTION_OUTPUTS = ("score", "confidence", "class")


@dataclass(frozen=True, slots=True)
class BinCounts:
    """Rows of a window by bin, the input of drift detection and performance estimation.

    `features` and `outputs` have one vector for each column, in the order of `Bins.finest.labels`; `outputs` has
    some of `OUTPUTS`. `problems` has the reason for each column that could not be counted. Counts are whole
    numbers unless rows have unequal sampling weights (see `effective_sample`).
    """

    n_rows: int
    features: Mapping[str, Ints]
    outputs: Mapping[str, Ints] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def merge(self, other: BinCounts) -> BinCounts:
        """Return the counts of the rows of both; equal to counting all of them at once.

        A column that one side could not count is left out.
        """
        return BinCounts(
            self.n_rows + other.n_rows,
            _sum_common_columns(self.features, other.features),
            _sum_common_columns(self.outputs, other.outputs),
            {**self.problems, **other.problems},
        )

    @property
    def n_bytes(self) -> int:
        """Size of the counts with four bytes for each bin."""
        vectors = [*self.features.values(), *self.outputs.values()]
        return 4 * sum(len(vector) for vector in vectors)


def count_frame(
    reference: Reference,
    rows: pd.DataFrame | Mapping[str, Sequence[Any]],
    *,
    n_rows: int,
    score: Sequence[float] | NDArray[np.float64] | pa.Array | None = None,
    confidence: Sequence[float] | NDArray[np.float64] | pa.Array | None = None,
    predicted: Sequence[str] | NDArray[np.str_] | pa.Array | None = None,
) -> BinCounts:
    """Return the counts of rows.

    Parameters
    ----------
    reference : Reference
        Defines the bins.
    rows : DataFrame, or mapping of column names to values
        Values may be Arrow arrays. A missing column, or one with values of another kind, is listed in
        `BinCounts.problems`.
    n_rows : int
        Number of rows.
    score, confidence, predicted : shape (n_rows,), optional
        Probability of the positive (or predicted) class, probability of the predicted class, and that class.
    """
    features, problems = {}, {}
    for bins in reference.monitored:
        if bins.column not in rows:
            problems[bins.name] = "the rows have no such column"
            continue
        try:
            features[bins.name] = bins.finest.count(rows[bins.column])
        except DataError as error:
            problems[bins.name] = str(error).partition(": ")[2]
    outputs: dict[str, Ints] = {}
    if score is not None:
        outputs["score"] = reference.score.finest.count(score)
    if confidence is not None:
        outputs["confidence"] = reference.confidence.finest.count(confidence)
    if predicted is not None:
        outputs["class"] = reference.classes.finest.count(_string_series(predicted))
    return BinCounts(n_rows, features, outputs, problems)


def reference_counts(reference: Reference) -> BinCounts:
    """Return the training rows as a window."""
    outputs = zip(PREDICTION_OUTPUTS, (reference.score, reference.confidence, reference.classes), strict=True)
    return BinCounts(
        reference.n_rows,
        {bins.name: _training_counts(bins) for bins in reference.monitored},
        {name: _training_counts(bins) for name, bins in outputs},
    )


def _string_series(values: Sequence[str] | NDArray[np.str_] | pa.Array) -> pd.Series | pa.Array:
    if hasattr(values, "dictionary_encode"):
        return values
    import pandas as pd

    return pd.Series(values, dtype="string")


def _training_counts(bins: Bins) -> Ints:
    return np.array(bins.finest.counts, dtype=np.int64)


def _sum_common_columns(left: Mapping[str, Ints], right: Mapping[str, Ints]) -> dict[str, Ints]:
    return {name: counts + right[name] for name, counts in left.items() if name in right}
