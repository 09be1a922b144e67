"""Fit an estimator to random rows of the declared columns, to refuse settings with which no rows can be fitted."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.encoding import make_encoder
from pipeline.modeling.mitigation import Mitigation

if TYPE_CHECKING:
    import pandas as pd
    from numpy.random import Generator
    from numpy.typing import NDArray

    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import ModelConfig
    from pipeline.config.groups.training_config import TrainingConfig
    from pipeline.schema import Column, Schema

__all__ = ["check_fit"]

_MIN_ROWS, _ROWS_PER_CLASS = 60, 10
_DAY_S = 86_400
_N_LETTERS = 12
_WIDTH, _MAX_BOUND = 1e3, 2.0**53


def check_fit(
    schema: Schema,
    features: FeaturesConfig,
    *,
    model: ModelConfig,
    training: TrainingConfig,
    seed: int,
    fairness: FairnessConfig | None = None,
) -> None:
    """Refuse an estimator that cannot be built, or cannot be fitted whatever the rows are.

    An estimator that fits a few random rows is accepted. Otherwise it is refused when further sets of rows (more of
    them, with missing values) give the same error; an error that depends on the rows is left to training.

    Raises
    ------
    ConfigError
        In the words of `fit_classifier`.
    DependencyUnavailable
        When the package of the estimator is not installed.
    """
    import warnings

    mitigation = Mitigation.from_config(fairness, schema)
    options: Any = {"model": model, "seed": seed, "class_weight": training.class_weight, "mitigation": mitigation}
    n_rows = max(_MIN_ROWS, _ROWS_PER_CLASS * len(schema.target.classes))
    refusals = []
    # Missing values that reach the estimator must be fitted where a column allows them. Those that are replaced may
    # add indicators, and an argument may fit only one of the two numbers of columns.
    is_native = make_encoder(schema, features, model.inputs).form.missing == "native"
    for n, has_missing in itertools.product((n_rows, 4 * n_rows), (True,) if is_native else (False, True)):
        frame = _random_rows(schema, n, has_missing=has_missing)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an estimator need not converge here
            try:
                fit_classifier(frame, schema, features, **options)
            except ConfigError as error:
                refusals.append(error)
            else:
                return
        if str(refusals[-1]) != str(refusals[0]):
            return
    raise refusals[0]


def _random_rows(schema: Schema, n_rows: int, *, has_missing: bool) -> pd.DataFrame:
    """Return rows of features and protected columns, the target and the weight; each class has rows."""
    import pandas as pd

    generator = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for column in schema.columns:
        if column.role != "feature" and not column.protected:
            continue
        values = pd.Series(_random_values(column, n_rows, generator))
        if has_missing and column.nullable:
            values = values.mask(generator.random(n_rows) < 0.2)
        dtype: Any = "string" if column.kind in ("category", "text") else column.dtype
        columns[column.name] = values.astype(dtype)
    classes = np.array(schema.target.classes, dtype=object)
    columns[schema.target.column] = pd.Series(classes[np.arange(n_rows) % len(classes)], dtype="string")
    if schema.weight_name is not None:
        columns[schema.weight_name] = pd.Series(np.arange(n_rows) % 3 + 1.0)
    return pd.DataFrame(columns)


def _random_values(column: Column, n_rows: int, generator: Generator) -> NDArray[Any]:
    if column.kind == "category":
        return np.array(column.categories, dtype=object)[generator.integers(0, len(column.categories), n_rows)]
    if column.kind == "boolean":
        return generator.random(n_rows) < 0.5
    if column.kind == "text":
        letters = generator.choice(list("abcdefghijklmnop"), size=(n_rows, _N_LETTERS))
        return np.array([" ".join(row) for row in letters.tolist()], dtype=object)
    if column.kind == "datetime":
        return (generator.integers(0, 365, n_rows) * _DAY_S).astype("datetime64[s]").astype("datetime64[us]")
    low, high = _bounds(column)
    values = low + generator.random(n_rows) * (high - low)
    return values.round() if column.kind == "integer" else values


def _bounds(column: Column) -> tuple[float, float]:
    """Return a range of numbers near the declared bounds, not below 0 where those allow it.

    Some estimators refuse negative numbers, and rows that are within the bounds may have none.
    """
    if column.maximum is not None and column.maximum <= 0:
        high = max(column.maximum, -_MAX_BOUND)
        return high - _WIDTH, high
    low = min(max(column.minimum or 0.0, 0.0), _MAX_BOUND)
    return low, low + _WIDTH if column.maximum is None else min(column.maximum, low + _WIDTH)
