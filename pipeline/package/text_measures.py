"""Measure texts by numbers whose distribution is monitored: their length, and the share of words that are new."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.modeling.encoding.ngrams import N_BUCKETS, NgramForm, hash_ngrams
from pipeline.schema.column_values import factorize_texts
from pipeline.schema.value_groups import MIN_GROUP_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["TextMeasure", "learn_text_measures"]

_MAX_CHARACTERS = 2_000
_WORDS = NgramForm("word", (1, 1), _MAX_CHARACTERS)
_CHARACTERS = NgramForm("char", (3, 3), _MAX_CHARACTERS)
_MIN_WORDS = 2.0  # mean number of words below which texts are compared by characters


@dataclass(frozen=True)  # without slots: what is known is decoded once
class TextMeasure:
    """A number for each text of one column.

    - `length`: the number of characters, at most 2,000.
    - `new_words`: the share of its words that few train rows have, or of its groups of three characters where texts
      have hardly any words (`unit` is `word` or `char`). A text without words has the share 0.

    `known` is the base64 form of one bit for each bucket of hashed words, empty for `length`.
    """

    column: str
    kind: Literal["length", "new_words"]
    unit: Literal["word", "char"] = "word"
    known: str = ""

    @property
    def name(self) -> str:
        """Name among the bins of a reference; matrix columns are named in the same way."""
        return f"{self.column}={self.kind}"

    def numbers(self, values: Any) -> Floats:
        """Return the number of each value (a list, a Series or an Arrow array), NaN where it is missing.

        Raises
        ------
        TypeError
            When a value is no text.
        """
        positions, texts = factorize_texts(values)
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"{text!r} is not a text")
        if self.kind == "length":
            measured = np.array([min(len(text), _MAX_CHARACTERS) for text in texts], dtype=np.float64)
        else:
            measured = _new_shares(texts, self._form, self._known)
        return np.append(measured, np.nan)[positions]

    def as_dict(self) -> dict[str, str]:
        """Return plain values from which `from_dict` builds an equal measure."""
        return {"column": self.column, "kind": self.kind, "unit": self.unit, "known": self.known}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TextMeasure:
        """Return the measure that `as_dict` wrote."""
        measure = cls(**value)
        if measure.kind == "new_words" and len(measure._known) != N_BUCKETS:
            raise ValueError(f"{measure.column}: the known words have {len(measure._known)} bits, not {N_BUCKETS}")
        return measure

    @property
    def _form(self) -> NgramForm:
        return _WORDS if self.unit == "word" else _CHARACTERS

    @cached_property
    def _known(self) -> NDArray[np.bool_]:
        packed = np.frombuffer(base64.b64decode(self.known, validate=True), dtype=np.uint8)
        return np.unpackbits(packed).astype(np.bool_)


def learn_text_measures(column: str, values: Any) -> tuple[TextMeasure, TextMeasure]:
    """Return the length, and the share of words that fewer than five of `values` have.

    The words of the rows on which a distribution is measured must not be known by these rows alone: a word that
    training lacks would be new in every later row, but never in a train row. Give one half of the rows here, and
    measure the distribution on the other.
    """
    positions, texts = factorize_texts(values)
    counts = np.bincount(positions[positions >= 0], minlength=len(texts))
    words = hash_ngrams(texts, _WORDS)
    n_words = np.bincount(words.texts, minlength=len(texts))
    is_sparse = float((n_words * counts).sum()) < _MIN_WORDS * max(1, counts.sum())
    hashed = hash_ngrams(texts, _CHARACTERS) if is_sparse else words
    pairs = np.unique(np.stack([hashed.texts.astype(np.int64), hashed.buckets]), axis=1)
    n_rows = np.bincount(pairs[1], weights=counts[pairs[0]], minlength=N_BUCKETS)
    known = base64.b64encode(np.packbits(n_rows >= MIN_GROUP_ROWS).tobytes()).decode()
    unit: Literal["word", "char"] = "char" if is_sparse else "word"
    return TextMeasure(column, "length"), TextMeasure(column, "new_words", unit, known)


def _new_shares(texts: Sequence[str], form: NgramForm, known: NDArray[np.bool_]) -> Floats:
    hashed = hash_ngrams(texts, form)
    n_all = np.bincount(hashed.texts, minlength=len(texts))
    n_new = np.bincount(hashed.texts, weights=~known[hashed.buckets], minlength=len(texts))
    return np.asarray(n_new / np.maximum(n_all, 1), dtype=np.float64)
