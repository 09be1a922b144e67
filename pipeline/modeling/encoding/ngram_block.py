"""Turn texts into a small dense block: hashed n-grams, weighted by rarity and projected on a few components.

The weights are whole numbers, so their sums are exact in any order and a text gets the same bits alone and in a batch.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.modeling.encoding.column_encoding import min_group_rows
from pipeline.modeling.encoding.ngrams import N_BUCKETS, HashedNgrams, NgramForm, hash_ngrams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.features_config import TextConfig
    from pipeline.schema import Column

    Floats = NDArray[np.float64]

__all__ = ["NgramBlock", "fit_ngram_block"]

_MAX_WEIGHT = 32_767
_SQUARE_UNIT = 1 << 16
_N_TEXTS_AT_ONCE = 2_000
_MAX_FITTED_TEXTS = 20_000
_MIN_STRENGTH = 1e-6  # weaker components are rounding errors


@dataclass(frozen=True)
class NgramBlock:
    """Weights of hashed n-grams.

    Attributes
    ----------
    form : NgramForm
        What n-grams consist of.
    buckets : int16 or larger, shape (n_ngrams,)
        Hash buckets that count; n-grams of other buckets are left out.
    weights : int16, shape (n_ngrams, n_components)
        Weight of an n-gram in each component, in units of `units`.
    squares : int64, shape (n_ngrams,)
        Squared inverse document frequency, in units of 2**-16; a text is divided by its length in these weights.
    units : tuple of float
        One for each component.
    """

    form: NgramForm
    buckets: NDArray[np.int64]
    weights: NDArray[np.int16]
    squares: NDArray[np.int64]
    units: tuple[float, ...]

    @property
    def n_components(self) -> int:
        """Number of components; 0 where no n-gram is frequent enough."""
        return len(self.units)

    def transform(self, texts: Sequence[str]) -> Floats:
        """Return the block, shape (len(texts), n_components); a text without known n-grams is zeros."""
        block = np.zeros((len(texts), self.n_components))
        if self.n_components:
            for start in range(0, len(texts), _N_TEXTS_AT_ONCE):
                part = texts[start : start + _N_TEXTS_AT_ONCE]
                block[start : start + len(part)] = self._transform_part(part)
        return block

    def _transform_part(self, texts: Sequence[str]) -> Floats:
        known = self._known_ngrams(texts)
        block = np.zeros((len(texts), self.n_components))
        if not len(known.texts):
            return block
        firsts = np.flatnonzero(np.diff(known.texts, prepend=-1))
        sums = np.add.reduceat(self._wide_weights[known.buckets], firsts, axis=0)
        keys, counts = np.unique(known.texts * len(self.buckets) + known.buckets, return_counts=True)
        lengths = np.zeros(len(texts), dtype=np.int64)
        np.add.at(lengths, keys // len(self.buckets), counts * counts * self.squares[keys % len(self.buckets)])
        present = known.texts[firsts]
        norms = np.sqrt(lengths[present] / _SQUARE_UNIT)
        block[present] = sums * np.array(self.units) / norms[:, None]
        return block

    def _known_ngrams(self, texts: Sequence[str]) -> HashedNgrams:
        """Return the n-grams that have weights, with their positions among the weights in place of buckets."""
        hashed = hash_ngrams(texts, self.form)
        positions = self._position_of[hashed.buckets]
        is_known = positions >= 0
        return HashedNgrams(hashed.texts[is_known], positions[is_known])

    @cached_property
    def _position_of(self) -> NDArray[np.int64]:
        positions = np.full(N_BUCKETS, -1, dtype=np.int64)
        positions[self.buckets] = np.arange(len(self.buckets))
        return positions

    @cached_property
    def _wide_weights(self) -> NDArray[np.int64]:
        return self.weights.astype(np.int64)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; arrays are base64 of little-endian integers."""
        return {
            "form": asdict(self.form),
            "buckets": _to_base64(self.buckets, "<i4"),
            "weights": _to_base64(self.weights, "<i2"),
            "squares": _to_base64(self.squares, "<i4"),
            "units": list(self.units),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> NgramBlock:
        """Return the block that `as_dict` wrote; ValueError where the arrays do not fit."""
        buckets = _from_base64(value["buckets"], "<i4")
        weights = _from_base64(value["weights"], "<i2").reshape(len(buckets), len(value["units"]))
        squares = _from_base64(value["squares"], "<i4")
        if len(squares) != len(buckets) or ((buckets < 0) | (buckets >= N_BUCKETS)).any():
            raise ValueError("buckets and squares do not fit")
        form = NgramForm(**{**value["form"], "ngram_range": tuple(value["form"]["ngram_range"])})
        return cls(form, buckets, weights.astype(np.int16), squares, tuple(value["units"]))


def _to_base64(array: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype=dtype).tobytes()).decode()


def _from_base64(text: str, dtype: str) -> NDArray[np.int64]:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=dtype).astype(np.int64)


def fit_ngram_block(
    texts: Sequence[str], counts: NDArray[np.int64], settings: TextConfig, *, column: Column
) -> NgramBlock:
    """Fit the components of distinct texts that occur in `counts` rows each.

    N-grams of fewer than `settings.min_rows` rows are left out. The components are those of a truncated singular
    value decomposition of the rows by tf-idf (latent semantic analysis).
    """
    if len(texts) > _MAX_FITTED_TEXTS:  # enough for a few components
        picked = np.linspace(0, len(texts) - 1, _MAX_FITTED_TEXTS).round().astype(int)
        texts, counts = [texts[at] for at in picked], counts[picked]
    form = NgramForm(settings.analyzer, settings.ngram_range, settings.max_characters)
    hashed = hash_ngrams(texts, form)
    keys, occurrences = np.unique(hashed.texts * N_BUCKETS + hashed.buckets, return_counts=True)
    text_of, bucket_of = keys // N_BUCKETS, keys % N_BUCKETS
    n_rows = np.bincount(bucket_of, weights=counts[text_of], minlength=N_BUCKETS).astype(np.int64)
    candidates = np.flatnonzero(n_rows >= min_group_rows(column, settings.min_rows))
    most_frequent = np.argsort(-n_rows[candidates], kind="stable")[: settings.max_ngrams]
    buckets = np.sort(candidates[most_frequent])
    rarity = np.log((1 + int(counts.sum())) / (1 + n_rows[buckets])) + 1.0
    is_known = np.isin(bucket_of, buckets)
    at = np.searchsorted(buckets, bucket_of[is_known])
    components = _fit_components(
        text_of[is_known], at, occurrences[is_known] * rarity[at], counts=counts, n_components=settings.n_components
    )
    weights = rarity[:, None] * components.T
    units = np.abs(weights).max(axis=0, initial=0.0) / _MAX_WEIGHT
    units = np.array([float(f"{unit:.7g}") for unit in units])
    quantized = np.clip(np.round(weights / np.where(units > 0, units, 1.0)), -_MAX_WEIGHT, _MAX_WEIGHT)
    squares = np.round(rarity**2 * _SQUARE_UNIT).astype(np.int64)
    return NgramBlock(form, buckets, quantized.astype(np.int16), squares, tuple(units.tolist()))


def _fit_components(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: Floats, *, counts: NDArray[np.int64], n_components: int
) -> Floats:
    """Return components, shape (n_components, n_ngrams), of sparse rows that are normalized and weighted by count."""
    from scipy.sparse import csr_matrix
    from sklearn.utils.extmath import randomized_svd

    n_columns = int(columns.max()) + 1 if len(columns) else 0
    n_fitted = min(n_components, n_columns - 1, len(np.unique(rows)) - 1)
    if n_fitted < 1:
        return np.empty((0, n_columns))
    norms = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(counts)))
    weighted = values / norms[rows] * np.sqrt(counts[rows])
    matrix = csr_matrix((weighted, (rows, columns)), shape=(len(counts), n_columns))
    _, strengths, components = randomized_svd(matrix, n_fitted, n_iter=5, random_state=0)
    return np.asarray(components[strengths > _MIN_STRENGTH * strengths[0]])
