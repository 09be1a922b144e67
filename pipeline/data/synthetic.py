"""Draw rows from the figures of a profile: equal for a seed on any machine and any numpy.

A row is of one hidden kind (a cell of the profile); inside of it every column is drawn independently, and
then some cells of the row go missing. All is decided by comparing uniform numbers of PCG64, whose stream
numpy keeps stable, with sums of the declared weights. Row i has its own numbers, so that the first rows of
a longer draw are those of a shorter one.
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

__all__ = ["generate_rows"]

_CHUNK_ROWS = 1 << 17


def generate_rows(profile: SyntheticProfile, schema: Schema, *, n_rows: int, seed: int) -> pd.DataFrame:
    """Return `rows` rows of the declared columns and the target.

    Parameters
    ----------
    profile : Profile
        Shares of the cells, weights of the values, and how cells go missing. All are relative: they need
        not add up to 1.
    schema : Schema
        Whole numbers, numbers, booleans and categories; the weight at position i is that of the number i,
        or of word i of a category.
    rows : int, 1 or more
    seed : int, 0 or more

    Returns
    -------
    DataFrame, shape (rows, n_columns + 1)

    Raises
    ------
    ConfigError
        When the profile and the declared columns do not fit together.
    """
    cells = list(profile.components.items())
    for name, cell in cells:
        _check_cell_profile(f"data.profile.components.{name}", cell, schema)
    n_missing = max(len(cell.missing_count) for _, cell in cells) - 1
    width = 2 + len(schema.columns) + n_missing
    generator = np.random.Generator(np.random.PCG64(seed))
    chunks = [
        _draw_codes(generator.random((min(_CHUNK_ROWS, n_rows - start), width)), [cell for _, cell in cells], schema)
        for start in range(0, n_rows, _CHUNK_ROWS)
    ]
    codes = np.concatenate(chunks)
    columns = {column.name: _decode_values(codes[:, i], column) for i, column in enumerate(schema.columns)}
    columns[schema.target.column] = _decode_categories(codes[:, -1], schema.target.classes)
    return to_frame(pa.table(columns))


def _check_cell_profile(place: str, cell: MixtureComponent, schema: Schema) -> None:
    """Refuse a cell that leaves a column out, names another, or gives a word no weight."""
    names = {column.name for column in schema.columns}
    if cell.label not in schema.target.classes:
        raise ConfigError(f"{place}.label: {cell.label!r} is none of {', '.join(schema.target.classes)}")
    for key, given in (("weights", cell.weights.keys()), ("missing_rate", cell.missing_rate.keys())):
        if odd := sorted(given - names):
            raise ConfigError(f"{place}.{key}.{odd[0]}: is no declared column; known: {', '.join(sorted(names))}")
    for column in schema.columns:
        if column.name not in cell.weights:
            raise ConfigError(f"{place}.weights.{column.name}: is missing; give each declared column its weights")
        _check_weights(f"{place}.weights.{column.name}", cell.weights[column.name], column)
    if len(cell.missing_count) - 1 > sum(rate > 0 for rate in cell.missing_rate.values()):
        raise ConfigError(f"{place}.missing_count: more cells may go missing than columns have a missing_rate")
    _check_sum(f"{place}.missing_count", cell.missing_count)


def _check_weights(place: str, weights: Sequence[float], column: Column) -> None:
    expected = {"category": len(column.categories), "boolean": 2}.get(column.kind)
    if column.kind in ("text", "datetime"):
        raise ConfigError(f"{place}: a column of the dtype {column.dtype} cannot be drawn")
    if expected is not None and len(weights) != expected:
        raise ConfigError(f"{place}: has {len(weights)} weights, the column has {expected} values")
    _check_sum(place, weights)


def _check_sum(place: str, weights: Sequence[float]) -> None:
    if min(weights, default=-1) < 0 or sum(weights) <= 0:
        raise ConfigError(f"{place}: weights are 0 or more, and one of them above 0; found {list(weights)}")


def _draw_codes(uniform: Floats, cells: list[MixtureComponent], schema: Schema) -> Codes:
    """Return the code of every value, shape (n, n_columns + 1); -1 where it is missing, the class last."""
    codes = np.empty((len(uniform), len(schema.columns) + 1), np.int64)
    drawn = _choose_by_weight(uniform[:, 0], [cell.share for cell in cells])
    for number, cell in enumerate(cells):
        rows = np.flatnonzero(drawn == number)
        own = uniform[rows, 1:]
        for i, column in enumerate(schema.columns):
            codes[rows, i] = _choose_by_weight(own[:, i], cell.weights[column.name])
        codes[rows, -1] = schema.target.classes.index(cell.label)
        rates = np.array([cell.missing_rate.get(column.name, 0.0) for column in schema.columns])
        codes[rows, :-1] = np.where(
            _draw_missing_mask(own[:, len(schema.columns) :], cell, rates), -1, codes[rows, :-1]
        )
    return codes


def _choose_by_weight(uniform: Floats, weights: Sequence[float]) -> Codes:
    """Return the position in `weights` at which the share `uniform` of their sum is passed."""
    sums = np.cumsum(np.asarray(weights, np.float64))
    codes: Codes = np.searchsorted(sums, uniform * sums[-1], side="right")
    return codes


def _draw_missing_mask(uniform: Floats, cell: MixtureComponent, rates: Floats) -> NDArray[np.bool_]:
    """Return which cells go missing, shape (n, n_columns): a drawn count of them, one after another."""
    counts = _choose_by_weight(uniform[:, 0], cell.missing_count)
    gone = np.zeros((len(uniform), len(rates)), bool)
    for turn in range(1, len(cell.missing_count)):
        rows = np.flatnonzero(counts >= turn)
        sums = np.cumsum(np.where(gone[rows], 0.0, rates), axis=1)
        passed = sums > (uniform[rows, turn] * sums[:, -1])[:, None]
        gone[rows, passed.argmax(axis=1)] = True
    return gone


def _decode_values(codes: Codes, column: Column) -> pa.Array:
    if column.kind == "category":
        return _decode_categories(codes, column.categories)
    values = pa.array(codes, mask=codes < 0)
    return values.cast({"integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_()}[column.kind])


def _decode_categories(codes: Codes, words: Sequence[str]) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(codes, mask=codes < 0))
