"""Recognize rows that a model learned from, by two bytes for each row that reveal little about it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.schema.feature_hash import HashSplit, feature_hashes, mix_hashes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Schema

__all__ = ["TRAIN_ROWS_FILE", "TrainRowFilter", "build_train_row_filter"]

TRAIN_ROWS_FILE = "train_rows.json"
_FORMAT_VERSION = 1
_MIN_BITS, _MAX_BITS = 6, 40
# Buckets for each different train row; a foreign row meets a taken bucket once in 8 to 16 times.
_BUCKETS_PER_ROW = 8
# The bucket of a row is independent of its part in any split.
_BUCKET_SALT = np.uint64(0xA0761D6478BD642F)


@dataclass(frozen=True, slots=True)
class TrainRowFilter:
    """A filter of the train rows by their features, and the rule of the split where each of them follows it.

    A row of the train part always meets the filter. Each of 2 ** `n_bits` buckets is shared by many possible rows, so a
    foreign row meets it once in 8 to 16 times, and a bucket names no row. A row that `split` puts into the
    test part is none of the train rows for certain.

    Attributes
    ----------
    n_bits : int
        Bits of the hash that the filter uses.
    buckets : uint8, shape (2 ** n_bits / 8,)
        One bit for each bucket.
    split : HashSplit or None
        The rule by which the train rows were chosen; None for another splitter.
    """

    n_bits: int
    buckets: NDArray[np.uint8]
    split: HashSplit | None

    def may_contain(self, frame: pd.DataFrame, schema: Schema) -> NDArray[np.bool_]:
        """Return which rows the model learned from, shape (len(frame),); none of those is left out.

        Parameters
        ----------
        frame : DataFrame
            Rows with every feature of `schema`.
        schema : Schema
            The schema of the model, not that of the rows.
        """
        hashes = feature_hashes(frame, schema)
        buckets = _buckets_of(hashes, self.n_bits)
        is_taken = (self.buckets[buckets >> np.uint64(3)] >> (buckets & np.uint64(7)).astype(np.uint8)) & 1
        is_known: NDArray[np.bool_] = is_taken.astype(bool)
        return is_known if self.split is None else is_known & ~self.split.is_test(hashes)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values from which `from_dict` builds an equal filter."""
        return {
            "format": _FORMAT_VERSION,
            "n_bits": self.n_bits,
            "buckets": base64.b64encode(self.buckets.tobytes()).decode(),
            "split": None if self.split is None else self.split.as_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TrainRowFilter:
        """Return the filter that `as_dict` wrote.

        Raises
        ------
        IntegrityError
            When `value` is not of the form that `as_dict` writes.
        """
        try:
            if value["format"] != _FORMAT_VERSION:
                raise IntegrityError(
                    f"{TRAIN_ROWS_FILE}: format {value['format']!r} is not known; this version reads {_FORMAT_VERSION}"
                )
            n_bits = int(value["n_bits"])
            buckets = np.frombuffer(base64.b64decode(value["buckets"], validate=True), dtype=np.uint8)
            if not _MIN_BITS <= n_bits <= _MAX_BITS or len(buckets) != 2 ** (n_bits - 3):
                raise IntegrityError(f"{TRAIN_ROWS_FILE}: {len(buckets)} bytes for {n_bits} bits; restore the package")
            split = value["split"]
            return cls(n_bits, buckets, None if split is None else HashSplit(split["seed"], split["test_share"]))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{TRAIN_ROWS_FILE}: invalid content ({error}); restore the package") from error


def build_train_row_filter(train: pd.DataFrame, schema: Schema, split: HashSplit | None = None) -> TrainRowFilter:
    """Return the filter of `train`, rows with every feature of `schema`.

    `split` is the rule that chose the rows; it is dropped where one of them does not follow it.
    """
    hashes = np.unique(feature_hashes(train, schema))
    n_bits = max(_MIN_BITS, int(_BUCKETS_PER_ROW * len(hashes) - 1).bit_length())
    taken = np.zeros(2**n_bits, dtype=np.uint8)
    taken[_buckets_of(hashes, n_bits)] = 1
    follows_rule = split is not None and not split.is_test(hashes).any()
    return TrainRowFilter(n_bits, np.packbits(taken, bitorder="little"), split if follows_rule else None)


def _buckets_of(hashes: NDArray[np.uint64], n_bits: int) -> NDArray[np.uint64]:
    return np.asarray(mix_hashes(hashes ^ _BUCKET_SALT) >> np.uint64(64 - n_bits))
