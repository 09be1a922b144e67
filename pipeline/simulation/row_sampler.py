"""Sample rows like the training rows from the bin counts in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.package.bins import Bins
    from pipeline.package.reference import Reference
    from pipeline.schema import Column, Schema

    Floats = NDArray[np.float64]

__all__ = ["sample_column", "sample_rows"]


def sample_rows(reference: Reference, schema: Schema, *, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of the features, shape (n_rows, n_features); features are sampled independently.

    Raises
    ------
    ConfigError
        When a feature without counts (free text) is not nullable.
    """
    import pandas as pd

    bins_by_name = {bins.name: bins for bins in reference.columns}
    columns = {}
    for column in schema.features:
        if column.name in bins_by_name:
            columns[column.name] = sample_column(bins_by_name[column.name], column, n_rows=n_rows, rng=rng)
        elif column.nullable:
            columns[column.name] = pd.Series([None] * n_rows, dtype="string")
        else:
            raise ConfigError(
                f"rows: {column.name} is text without counts in the package; use rows of kind declared or file"
            )
    return pd.DataFrame(columns)


def sample_column(bins: Bins, column: Column, *, n_rows: int, rng: np.random.Generator) -> pd.Series:
    """Return values of one feature in its dtype, with missing values."""
    import pandas as pd

    finest = bins.finest
    weights = np.array(finest.counts, dtype=np.float64)
    if bins.kind != "quantiles":
        weights[-2] = 0.0  # unseen categories have no known values
    if weights.sum() == 0:
        weights[-1] = 1.0
    codes = rng.choice(len(weights), size=n_rows, p=weights / weights.sum())
    is_missing = codes == len(weights) - 1
    if bins.is_words:
        words = np.array([*finest.points, None, None], dtype=object)[codes]
        if column.kind == "boolean":
            return pd.Series([None if word is None else word == "true" for word in words], dtype="boolean")
        return pd.Series(words, dtype="string")
    numbers = (
        _values_from_codes(finest, codes) if bins.kind == "values" else _sample_within_bins(finest, column, codes, rng)
    )
    if column.minimum is not None or column.maximum is not None:
        numbers = np.clip(
            numbers,
            -np.inf if column.minimum is None else column.minimum,
            np.inf if column.maximum is None else column.maximum,
        )
    values = pd.Series(numbers).mask(is_missing)
    if column.kind == "datetime":
        return pd.to_datetime(values.round(), unit="us").astype("datetime64[us]")
    return pd.Series(values.array, dtype="Int64" if column.kind == "integer" else "Float64")


def _values_from_codes(bins: Bins, codes: NDArray[np.int64]) -> Floats:
    points = np.array(bins.points, dtype=np.float64)
    values = np.array([*points, points[0] - 1, points[-1] + 1, 0.0, 0.0]) if len(points) else np.zeros(4)
    return np.asarray(values[codes])


def _sample_within_bins(bins: Bins, column: Column, codes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return uniform numbers within each bin; a bin includes its upper edge, not its lower one."""
    edges = np.array(bins.points, dtype=np.float64)
    if len(edges) < 2:
        return np.zeros(len(codes))
    step = 1.0 if column.kind == "integer" else (edges[-1] - edges[0]) / 1000
    low = np.array([*edges[:-1], edges[0] - 2 * step, edges[-1], 0.0])[codes]
    high = np.array([*edges[1:], edges[0] - step, edges[-1] + step, 0.0])[codes]
    samples = high - rng.random(len(codes)) * (high - low)
    if column.kind == "integer":
        up = np.floor(samples) + 1
        whole: Floats = np.where(up > high, np.floor(high), up)
        return whole
    values: Floats = np.where(high - low <= 4 * np.spacing(np.abs(high)), high, samples)
    return values
