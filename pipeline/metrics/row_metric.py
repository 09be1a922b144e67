"""Define a metric of an extension: the mean of a value of each row, such as the cost of a decision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.errors import ConfigError, ExtensionFailed
from pipeline.extensions import call_extension
from pipeline.metrics.influence import mean_influence
from pipeline.metrics.metric_table import METRICS, Metric, ScoreSpread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions

    Floats = NDArray[np.float64]

__all__ = ["define_row_metric"]

RowValues = Callable[[Any, Any], Any]
F = TypeVar("F", bound=RowValues)

# Costs are as unequal as log losses, whose intervals `benchmarks/coverage.py` measured.
_FREEDOM = 1.5


def define_row_metric(name: str, *, unit: str, higher_is_better: bool, upper: float | None = None) -> Callable[[F], F]:
    """Return a decorator that adds a metric: the weighted mean of a value of each row.

    The function gets `probabilities`, shape (n_rows, n_classes), and `predicted`, the positions of the predicted
    classes, shape (n_rows,). It returns the value of each row for each class that may be true, shape (n_rows,
    n_classes), at least 0. Classes are in the order of `target.classes`. So the metric has an interval, an interval of
    the difference of two models, and an estimate before outcomes arrive.

    Parameters
    ----------
    name : str
        Name for `evaluation.metrics`, gates and selection.
    unit : str
        Unit of the values, such as `EUR`.
    higher_is_better : bool
    upper : float, optional
        Greatest possible value; values are unbounded when None.

    Raises
    ------
    ConfigError
        When a metric has the name already, or `upper` is not positive.
    """
    if name in METRICS:
        raise ConfigError(f"metric {name}: exists already; choose another name")
    if upper is not None and not (math.isfinite(upper) and upper > 0):
        raise ConfigError(f"metric {name}: upper is {upper!r}; expected a positive number, or None")

    def add(function: F) -> F:
        def row_values(scored: LabeledPredictions) -> Floats:
            values = call_extension(f"metric {name}", function, scored.probabilities, scored.predicted)
            return _checked_values(name, values, scored, upper)

        def mean(rows: WeightedPredictions) -> Floats:
            return rows.weighted_mean(rows.scored.of_true_class(row_values(rows.scored)))

        def influence(scored: LabeledPredictions, weights: Floats) -> Floats:
            return mean_influence(row_values(scored), scored, weights)

        METRICS.add(name)(
            Metric(
                name=name,
                unit=unit,
                higher_is_better=higher_is_better,
                needs="scores",
                function=mean,
                bounds=(0.0, math.inf if upper is None else upper),
                spread=ScoreSpread(influence, freedom=_FREEDOM),
            )
        )
        return function

    return add


def _checked_values(name: str, values: Any, scored: LabeledPredictions, upper: float | None) -> Floats:
    expected = (scored.n_rows, scored.n_classes)
    array = np.asarray(values)
    if array.shape != expected or array.dtype.kind not in "iuf":
        raise ExtensionFailed(
            f"metric {name}: the extension returned {array.dtype} of shape {array.shape}; expected numbers of shape"
            f" {expected}: the value of each row for each class that may be true"
        )
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all() or (numbers < 0).any() or (upper is not None and (numbers > upper).any()):
        limit = "" if upper is None else f" and at most {upper:g}"
        raise ExtensionFailed(
            f"metric {name}: the extension returned values from {numbers.min():g} to {numbers.max():g}; expected"
            f" finite values of at least 0{limit}"
        )
    return numbers
