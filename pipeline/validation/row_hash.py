"""Hash rows to 64 bits, so that rules about whole files need 8 bytes a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.schema.feature_hash import HASH_START, MISSING_HASH, mix_hashes
from pipeline.validation.arrow_rows import is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["row_hashes"]


def row_hashes(batch: pa.RecordBatch, columns: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of each row; rows with equal values in `columns` share it, and missing equals missing.

    Two different rows of 10 million share a hash with a chance of about 3 in a million (birthday
    bound for 64 bits).
    """
    total = np.full(len(batch), HASH_START, dtype=np.uint64)
    for name in columns:
        array = batch.column(name)
        values = _to_uint64(array)
        if array.null_count:
            values = np.where(is_missing(array), MISSING_HASH, values)
        total = mix_hashes(total ^ values)
    return total


def _to_uint64(array: pa.Array) -> NDArray[np.uint64]:
    if pa.types.is_dictionary(array.type):
        texts = np.array([*array.dictionary.to_pylist(), ""], dtype=object)
        hashes = pd.util.hash_array(texts, categorize=False)
        return np.asarray(hashes[np.asarray(array.indices.fill_null(len(texts) - 1))], dtype=np.uint64)
    if pa.types.is_floating(array.type):
        return (np.asarray(array.fill_null(0.0)) + 0.0).view(np.uint64)
    return np.asarray(array.cast(pa.int64()).fill_null(0)).view(np.uint64)
