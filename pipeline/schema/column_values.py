"""Read the values of a column as numbers, moments or texts, whatever holds them: a list, a Series or an Arrow array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["factorize_texts", "to_float64", "to_moments"]


def to_float64(values: Any) -> NDArray[np.float64]:
    """Return one float64 for each value, NaN where it is missing."""
    if isinstance(values, np.ndarray):
        return values.astype(np.float64, copy=False)
    if hasattr(values, "dictionary_encode"):
        return np.asarray(values.cast("float64", safe=False).to_numpy(zero_copy_only=False))
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def to_moments(values: Any) -> NDArray[np.datetime64]:
    """Return one moment in microseconds for each value, NaT where it is missing."""
    if hasattr(values, "dictionary_encode"):
        return np.asarray(values.cast("timestamp[us]").to_numpy(zero_copy_only=False))
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy(dtype="datetime64[us]"))
    return np.array(["NaT" if value is None else value for value in values], dtype="datetime64[us]")


def factorize_texts(values: Any) -> tuple[NDArray[np.intp], Sequence[Any]]:
    """Return the position of each value among the distinct ones, -1 where it is missing, and the distinct ones."""
    if hasattr(values, "dictionary_encode"):
        encoded = values.dictionary_encode()
        if hasattr(encoded, "combine_chunks"):
            encoded = encoded.combine_chunks()
        positions = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.asarray(positions, dtype=np.intp), encoded.dictionary.to_pylist()
    if hasattr(values, "factorize"):
        positions, distinct = values.factorize()
        return np.asarray(positions, dtype=np.intp), list(distinct)
    position_of: dict[Any, int] = {}
    listed = [-1 if value is None else position_of.setdefault(value, len(position_of)) for value in values]
    return np.array(listed, dtype=np.intp), list(position_of)
