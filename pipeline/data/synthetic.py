"""Generate rows from the mixture model of a profile; equal seeds give equal rows on any machine and any numpy.

A row belongs to one hidden component of the mixture. Inside a component every column is drawn independently, and
then some values of the row become missing. Uniform numbers of PCG64, whose stream is stable in numpy, are compared
with cumulative weights. Row i has its own numbers, so that a longer sample starts with the rows of a shorter one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.data.cell_parsers import to_frame
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.data_config import MixtureComponent, SyntheticProfile
    from pipeline.schema import Column, Schema

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

__all__ = ["check_profile", "generate_rows"]

_CHUNK_ROWS = 1 << 17


def generate_rows(profile: SyntheticProfile, schema: Schema, *, n_rows: int, seed: int) -> pd.DataFrame:
    """Return `n_rows` rows of the declared columns and the target.

    Parameters
    ----------
    profile : SyntheticProfile
        Shares of the components, weights of the values, and rates of missing values. All are relative: they
        need not add up to 1.
    schema : Schema
        Integers, floats, booleans and categories; the weight at position i is that of the number i, or of the
        category at position i.
    n_rows : int, 1 or more
    seed : int, 0 or more

    Returns
    -------
    DataFrame, shape (n_rows, n_columns + 1)

    Raises
    ------
    ConfigError
        When the profile and the declared columns do not fit together.
    """
    check_profile(profile, schema)
    components = list(profile.components.values())
    n_missing = max(len(component.missing_count) for component in components) - 1
    width = 2 + len(schema.columns) + n_missing
    generator = np.random.Generator(np.random.PCG64(seed))
    chunks = [
        _draw_codes(generator.random((min(_CHUNK_ROWS, n_rows - start), width)), components, schema)
        for start in range(0, n_rows, _CHUNK_ROWS)
    ]
    codes = np.concatenate(chunks)
    columns = {column.name: _decode_values(codes[:, i], column) for i, column in enumerate(schema.columns)}
    columns[schema.target.column] = _decode_categories(codes[:, -1], schema.target.classes)
    return to_frame(pa.table(columns))


def check_profile(profile: SyntheticProfile, schema: Schema) -> None:
    """Refuse a profile that does not fit the declared columns.

    Raises
    ------
    ConfigError
        When a component omits a column, names another, omits the weight of a value, or no component has a share.
    """
    if not profile.components:
        raise ConfigError("data.profile.components: is empty; add at least one component")
    _check_sum("data.profile.components.*.share", [component.share for component in profile.components.values()])
    for name, component in profile.components.items():
        _check_component(f"data.profile.components.{name}", component, schema)


def _check_component(key: str, component: MixtureComponent, schema: Schema) -> None:
    """Refuse a component that omits a column, names another, or omits the weight of a value."""
    names = {column.name for column in schema.columns}
    if component.label not in schema.target.classes:
        raise ConfigError(f"{key}.label: {component.label!r} is not one of {', '.join(schema.target.classes)}")
    for setting, keys in (("weights", component.weights.keys()), ("missing_rate", component.missing_rate.keys())):
        if unknown := sorted(keys - names):
            raise ConfigError(
                f"{key}.{setting}.{unknown[0]}: is not a declared column; known: {', '.join(sorted(names))}"
            )
    for column in schema.columns:
        if column.name not in component.weights:
            raise ConfigError(f"{key}.weights.{column.name}: is missing; give each declared column its weights")
        _check_weights(f"{key}.weights.{column.name}", component.weights[column.name], column)
    if len(component.missing_count) - 1 > sum(rate > 0 for rate in component.missing_rate.values()):
        raise ConfigError(f"{key}.missing_count: more values may be missing than columns have a missing_rate")
    _check_sum(f"{key}.missing_count", component.missing_count)


def _check_weights(key: str, weights: Sequence[float], column: Column) -> None:
    expected = {"category": len(column.categories), "boolean": 2}.get(column.kind)
    if column.kind in ("text", "datetime"):
        raise ConfigError(f"{key}: a column of dtype {column.dtype} cannot be generated")
    if expected is not None and len(weights) != expected:
        raise ConfigError(f"{key}: has {len(weights)} weights, the column has {expected} values")
    _check_sum(key, weights)


def _check_sum(key: str, weights: Sequence[float]) -> None:
    if min(weights, default=-1) < 0 or sum(weights) <= 0:
        raise ConfigError(f"{key}: expected weights of 0 or more, with a positive sum; found {list(weights)}")


def _draw_codes(uniform: Floats, components: list[MixtureComponent], schema: Schema) -> Codes:
    """Return the code of every value, shape (n, n_columns + 1); -1 where it is missing, the class last."""
    codes = np.empty((len(uniform), len(schema.columns) + 1), np.int64)
    component_indices = _choose_by_weight(uniform[:, 0], [component.share for component in components])
    for index, component in enumerate(components):
        rows = np.flatnonzero(component_indices == index)
        numbers = uniform[rows, 1:]
        for i, column in enumerate(schema.columns):
            codes[rows, i] = _choose_by_weight(numbers[:, i], component.weights[column.name])
        codes[rows, -1] = schema.target.classes.index(component.label)
        rates = np.array([component.missing_rate.get(column.name, 0.0) for column in schema.columns])
        codes[rows, :-1] = np.where(
            _draw_missing_mask(numbers[:, len(schema.columns) :], component, rates), -1, codes[rows, :-1]
        )
    return codes


def _choose_by_weight(uniform: Floats, weights: Sequence[float]) -> Codes:
    """Return the position in `weights` at which their cumulative sum exceeds the share `uniform` of the total."""
    sums = np.cumsum(np.asarray(weights, np.float64))
    codes: Codes = np.searchsorted(sums, uniform * sums[-1], side="right")
    return codes


def _draw_missing_mask(uniform: Floats, component: MixtureComponent, rates: Floats) -> NDArray[np.bool_]:
    """Return which values are missing, shape (n, n_columns): a random number of them, drawn one after another."""
    counts = _choose_by_weight(uniform[:, 0], component.missing_count)
    is_missing = np.zeros((len(uniform), len(rates)), bool)
    for turn in range(1, len(component.missing_count)):
        rows = np.flatnonzero(counts >= turn)
        sums = np.cumsum(np.where(is_missing[rows], 0.0, rates), axis=1)
        is_exceeded = sums > (uniform[rows, turn] * sums[:, -1])[:, None]
        is_missing[rows, is_exceeded.argmax(axis=1)] = True
    return is_missing


def _decode_values(codes: Codes, column: Column) -> pa.Array:
    if column.kind == "category":
        return _decode_categories(codes, column.categories)
    values = pa.array(codes, mask=codes < 0)
    return values.cast({"integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_()}[column.kind])


def _decode_categories(codes: Codes, categories: Sequence[str]) -> pa.Array:
    return pa.array(categories, pa.string()).take(pa.array(codes, mask=codes < 0))
