"""Rewrite estimators that choose or encode the columns of a frame, so that they do the same on the encoder's matrix.

The matrix then has each feature as it is: numbers, and words as their positions in the declared categories.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.model_config import EstimatorInputsConfig
from pipeline.errors import ConfigError
from pipeline.modeling.encoding import make_encoder
from pipeline.modeling.encoding.methods import PLAIN_FEATURES
from pipeline.modeling.estimators import iter_estimators

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.schema import Column, Schema

__all__ = ["COLUMN_FEATURES", "COLUMN_INPUTS", "MatrixModel", "encodes_columns", "on_matrix"]

_ENCODERS = frozenset({"OneHotEncoder", "OrdinalEncoder"})
_COLUMN_STEPS = _ENCODERS | {"ColumnTransformer"}
_UNKNOWN_CODE = -1.0  # of a word that is none of the categories
COLUMN_INPUTS = EstimatorInputsConfig(missing="native_where_seen", categories="codes", scale="none")
COLUMN_FEATURES: FeaturesConfig = PLAIN_FEATURES.model_copy(update={"missing_indicators": "never", "max_codes": 1_000})


@dataclass(frozen=True, slots=True)
class MatrixModel:
    """A model for the encoder's matrix, and the declaration that it goes with: listed categories in their order."""

    estimator: Any
    schema: Schema


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Features that a step gets: their positions in its matrix, and the categories of those that are words.

    `frame` has the rows as they were brought, with these columns in the order in which the step counts them. `listed`
    collects the categories that encoders list, by column.
    """

    frame: pd.DataFrame
    positions: Mapping[str, int]
    categories: Mapping[str, tuple[str, ...]]
    listed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.frame]

    def select(self, names: Sequence[str]) -> _Inputs:
        """Return the inputs of a step that gets these columns alone."""
        positions = {name: at for at, name in enumerate(names)}
        return _Inputs(self.frame[list(names)], positions, self.categories, self.listed)

    def position(self, name: str, step: str) -> int:
        """Return the position of a column; a column that the encoder leaves out is refused."""
        if name not in self.positions:
            raise ConfigError(
                f"model: {step} uses the column {name}, which is left out: it has dates, or texts with many different"
                f" values; turn it into numbers or fewer words in the rows before, or take it out of {step}"
            )
        return self.positions[name]

    def code(self, name: str, value: Any) -> float:
        """Return the number that stands for a value of a column in the matrix."""
        if name not in self.categories:
            return float(value)
        known = self.categories[name]
        return float(known.index(str(value))) if str(value) in known else _UNKNOWN_CODE


def encodes_columns(model: Any) -> bool:
    """Return whether a part of `model` chooses columns, or encodes words."""
    return any(type(member).__name__ in _COLUMN_STEPS for member in iter_estimators(model))


def on_matrix(model: Any, frame: pd.DataFrame, rows: pd.DataFrame, schema: Schema) -> MatrixModel:
    """Return an unfitted copy of `model` that does the same on the encoder's matrix.

    Names of columns become positions, listed words their codes. A word that training does not have is ignored where an
    encoder would fail at prediction (`handle_unknown="error"`).

    Parameters
    ----------
    model : unfitted estimator
    frame : DataFrame
        Features as they were brought, whose dtypes and order the selectors of columns see.
    rows : DataFrame
        The same rows with the dtypes of `schema`.
    schema : Schema

    Raises
    ------
    ConfigError
        When a column is left out by the encoder, or a step gets words that it cannot compute with.
    """
    positions = _matrix_positions(rows, schema)
    inputs = _Inputs(frame, positions, _categories(schema))
    estimator = _rewrite(model, inputs)
    if not inputs.listed:
        return MatrixModel(estimator, schema)
    # scikit-learn takes listed numbers in ascending order only, so the codes follow the order of the list.
    columns = tuple(_with_categories(column, inputs.listed.get(column.name)) for column in schema.columns)
    ordered = replace(schema, columns=columns)
    return MatrixModel(_rewrite(model, _Inputs(frame, positions, _categories(ordered))), ordered)


def _matrix_positions(rows: pd.DataFrame, schema: Schema) -> dict[str, int]:
    """Return the position of each feature that has one column of the matrix."""
    encoder = make_encoder(schema, COLUMN_FEATURES, COLUMN_INPUTS).fit(rows)
    positions: dict[str, int] = {}
    at = 0
    for encoding in encoder.encodings_:
        if len(encoding.output_names) == 1:
            positions[encoding.name] = at
        at += len(encoding.output_names)
    return positions


def _categories(schema: Schema) -> dict[str, tuple[str, ...]]:
    return {column.name: column.categories for column in schema.features if column.kind == "category"}


def _with_categories(column: Column, listed: tuple[str, ...] | None) -> Column:
    """Return a column whose categories are the listed words, then all others."""
    if listed is None:
        return column
    words = tuple(dict.fromkeys((*listed, *column.categories)))
    return replace(column, categories=words, checks={**column.checks, "isin": list(words)})


def _rewrite(step: Any, inputs: _Inputs | None) -> Any:
    """Return the step on the matrix; `inputs` is None behind a step whose columns are no features any more."""
    from sklearn.base import clone

    if not hasattr(step, "get_params"):
        return step  # "passthrough", "drop" or None
    name = type(step).__name__
    copy = clone(step)
    if name == "Pipeline":
        return copy.set_params(steps=_rewrite_pipeline(step, inputs))
    if name == "ColumnTransformer":
        return _rewrite_columns(copy, inputs)
    if name in _ENCODERS:
        return _rewrite_encoder(copy, inputs)
    if name == "SimpleImputer" and step.strategy in ("most_frequent", "constant"):
        return _rewrite_imputer(copy, inputs)
    members = {key: _rewrite_members(value, inputs) for key, value in step.get_params(deep=False).items()}
    changed = {key: value for key, value in members.items() if value is not None}
    if not changed:
        _check_no_words(name, inputs)
    # The final estimator of a stack gets the predictions of the others.
    return copy.set_params(**{key: value for key, value in changed.items() if key != "final_estimator"})


def _rewrite_members(value: Any, inputs: _Inputs | None) -> Any:
    """Return a parameter whose estimators are rewritten; None where it has none."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _rewrite(value, inputs)
    if isinstance(value, list | tuple) and value and all(_is_named_step(member) for member in value):
        return [(name, _rewrite(member, inputs)) for name, member in value]
    return None


def _is_named_step(member: Any) -> bool:
    return isinstance(member, list | tuple) and len(member) == 2 and isinstance(member[0], str)


def _rewrite_pipeline(pipeline: Any, inputs: _Inputs | None) -> list[tuple[str, Any]]:
    steps = []
    for name, step in pipeline.steps:
        steps.append((name, _rewrite(step, inputs)))
        keeps_columns = not hasattr(step, "get_params") or type(step).__name__ == "SimpleImputer"
        if not keeps_columns or getattr(step, "add_indicator", False):
            inputs = None
    return steps


def _rewrite_columns(transformer: Any, inputs: _Inputs | None) -> Any:
    if inputs is None:
        raise ConfigError(
            "model: contains ColumnTransformer behind a step that changes the columns, so its names have no meaning in"
            " a package; make it the first step"
        )
    used: set[str] = set()
    transformers = []
    for name, step, columns in transformer.transformers:
        names = _column_names(columns, inputs)
        used.update(names)
        if step == "passthrough":
            _check_no_words("ColumnTransformer", inputs.select(names))
        chosen = [] if step == "drop" else [inputs.position(each, f"ColumnTransformer ({name})") for each in names]
        transformers.append((name, _rewrite(step, inputs.select(names)), chosen))
    rest = [name for name in inputs.names if name not in used]
    remainder = transformer.remainder
    if remainder != "drop":
        _ = [inputs.position(name, "ColumnTransformer (remainder)") for name in rest]
        if remainder == "passthrough":
            _check_no_words("ColumnTransformer", inputs.select(rest))
        # The matrix may have columns that were not brought: those of the declaration are all there, missing.
        transformers.append(
            ("remainder_columns", _rewrite(remainder, inputs.select(rest)), [inputs.positions[name] for name in rest])
        )
    return transformer.set_params(transformers=transformers, remainder="drop")


def _column_names(columns: Any, inputs: _Inputs) -> list[str]:
    """Return the names that a ColumnTransformer's choice of columns stands for."""
    chosen = columns(inputs.frame) if callable(columns) else columns
    if isinstance(chosen, slice):
        by_name = isinstance(chosen.start, str) or isinstance(chosen.stop, str)
        frame = inputs.frame.loc[:, chosen] if by_name else inputs.frame.iloc[:, chosen]
        return [str(name) for name in frame]
    listed = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if listed and all(isinstance(each, bool | np.bool_) for each in listed):
        return [name for name, is_chosen in zip(inputs.names, listed, strict=True) if is_chosen]
    names = [each if isinstance(each, str) else inputs.names[each] for each in listed]
    absent = [name for name in names if name not in inputs.names]
    if absent:
        raise ConfigError(
            f"model: ColumnTransformer uses the column {absent[0]}, which X_train does not have; its columns:"
            f" {', '.join(inputs.names)}"
        )
    return names


def _rewrite_encoder(encoder: Any, inputs: _Inputs | None) -> Any:
    kind = type(encoder).__name__
    if getattr(encoder, "handle_unknown", None) == "error":
        unknown: dict[str, Any] = {"handle_unknown": "ignore"}
        if kind == "OrdinalEncoder":
            unknown = {"handle_unknown": "use_encoded_value", "unknown_value": int(_UNKNOWN_CODE)}
        encoder.set_params(**unknown)
    if inputs is None:
        return encoder
    in_order = sorted(inputs.names, key=lambda name: inputs.position(name, kind))
    if isinstance(encoder.categories, str):
        return encoder
    listed = dict(zip(inputs.names, encoder.categories, strict=True))
    for name in in_order:
        if name in inputs.categories:
            words = tuple(str(value) for value in listed[name])
            if inputs.listed.setdefault(name, words) != words:
                raise ConfigError(
                    f"model: {kind}.categories lists the words of {name} in another order than another step; use one"
                    " order"
                )
    codes = [[inputs.code(name, value) for value in listed[name]] for name in in_order]
    return encoder.set_params(categories=codes)


def _rewrite_imputer(imputer: Any, inputs: _Inputs | None) -> Any:
    if isinstance(imputer.missing_values, str):
        raise ConfigError("model: SimpleImputer.missing_values is a word; write missing values into the rows before")
    imputer.set_params(missing_values=np.nan)
    fill = imputer.fill_value
    if inputs is None or not isinstance(fill, str):
        return imputer
    codes = {inputs.code(name, fill) for name in inputs.names if name in inputs.categories}
    if len(codes) > 1 or len(inputs.names) > sum(name in inputs.categories for name in inputs.names):
        raise ConfigError(
            f"model: SimpleImputer.fill_value {fill!r} has another code in each of its columns; use one"
            " SimpleImputer for each column"
        )
    return imputer.set_params(fill_value=codes.pop())


def _check_no_words(step: str, inputs: _Inputs | None) -> None:
    if inputs is None:
        return
    words = [name for name in inputs.names if name in inputs.categories]
    if words:
        raise ConfigError(
            f"model: {step} gets the words of the column {words[0]}, which scikit-learn cannot compute with;"
            " encode them before it, for example by OneHotEncoder"
        )
