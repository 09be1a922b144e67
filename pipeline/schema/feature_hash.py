"""Hash the features of rows, so that a row keeps its hash in every snapshot, file format and order of columns."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema.declaration import Column, Schema

__all__ = ["HASH_START", "MISSING_HASH", "HashSplit", "feature_hashes", "mix_hashes"]

HASH_START = np.uint64(0x9E3779B97F4A7C15)
MISSING_HASH = np.uint64(0xD1B54A32D192ED03)
_N_POSITION_BITS = 53


def mix_hashes(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a well mixed number for each of `values`, by the step of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = (values ^ (values >> np.uint64(31))) + HASH_START
    return mixed


def feature_hashes(frame: pd.DataFrame, schema: Schema) -> NDArray[np.uint64]:
    """Return a hash of the features of each row, shape (len(frame),).

    Rows with equal features share it, whatever the order of rows and columns is. The target and columns of
    another role do not enter. Numbers are hashed as 64-bit floats, so 5 equals 5.0; missing equals missing.
    Two different rows of 10 million share a hash with a chance of about 3 in a million.

    Parameters
    ----------
    frame : DataFrame
        Rows with every feature of `schema`.
    schema : Schema
        Declaration of the columns.
    """
    total = np.full(len(frame), HASH_START, dtype=np.uint64)
    for column in sorted(schema.features, key=lambda column: column.name):
        total = mix_hashes(total ^ _value_hashes(frame[column.name], column))
    return total


def _value_hashes(values: pd.Series, column: Column) -> NDArray[np.uint64]:
    import pandas as pd

    if column.kind in ("category", "text"):
        codes, texts = pd.factorize(values.astype(object), use_na_sentinel=True)
        hashes = np.array([*map(_text_hash, map(str, texts)), MISSING_HASH], dtype=np.uint64)
        return np.asarray(hashes[codes])
    if column.kind == "datetime":
        moments = pd.to_datetime(values).to_numpy("datetime64[us]")
        numbers, is_missing = moments.view(np.uint64), np.isnat(moments)
    else:
        floats = values.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        numbers, is_missing = (floats + 0.0).view(np.uint64), np.isnan(floats)
    return np.where(is_missing, MISSING_HASH, numbers)


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class HashSplit:
    """The rule that gives each row its part by its hash alone: `seed` is the salt, `test_share` between 0 and 1."""

    seed: int
    test_share: float

    def positions(self, hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the position of each row between 0 and 1; equal hashes have equal positions."""
        salt = mix_hashes(np.array([self.seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))[0]
        bits = mix_hashes(hashes ^ salt) >> np.uint64(64 - _N_POSITION_BITS)
        return bits.astype(np.float64) * 2.0**-_N_POSITION_BITS

    def is_test(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which rows belong to the test part: those with a position below `test_share`."""
        return np.asarray(self.positions(hashes) < self.test_share)

    def as_dict(self) -> dict[str, float]:
        """Return plain values."""
        return asdict(self)
