"""Hold logged predictions as columns, each different text once: what is worked out of a text is worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.state import CONFIDENCE_SCALE, TEXT_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pipeline.state import LoggedRow, OutcomeChunk, RowChunk

    Ints = NDArray[np.int64]

__all__ = ["DictionaryColumn", "LogColumns"]


@dataclass(frozen=True, slots=True)
class DictionaryColumn:
    """The texts of rows: those that differ, and the position of each row's among them."""

    dictionary: tuple[str | None, ...]
    indices: Ints

    @classmethod
    def encode(cls, texts: Iterable[str | None]) -> DictionaryColumn:
        """Return the texts of rows, None for a row without."""
        known: dict[str | None, int] = {}
        at = [known.setdefault(one, len(known)) for one in texts]
        return cls(tuple(known), np.array(at, dtype=np.int64))

    @classmethod
    def from_joined_text(cls, text: str, n: int) -> DictionaryColumn:
        """Return the `n` texts that stand in one, `SEPARATOR` between them.

        Raises
        ------
        IntegrityError
            When there are more: a text holds the separator itself.
        """
        import pyarrow as pa
        from pyarrow import compute

        encoded = compute.split_pattern(pa.array([text]), TEXT_SEPARATOR).flatten().dictionary_encode()
        if len(encoded) != n:
            raise IntegrityError(
                f"predictions: {len(encoded)} texts where there are {n} rows: a class or a value holds the sign U+001E; "
                "give the class another name and train again"
            )
        return cls(tuple(encoded.dictionary.to_pylist()), encoded.indices.to_numpy().astype(np.int64))

    def codes_among(self, values: Sequence[str]) -> Ints:
        """Return the position among `words` of each row's text, -1 where it is none of them."""
        positions = {word: code for code, word in enumerate(values)}
        return np.array([-1 if one is None else positions.get(one, -1) for one in self.dictionary], dtype=np.int64)[
            self.indices
        ]


@dataclass(frozen=True, slots=True)
class LogColumns:
    """Logged predictions by column; an outcome is None while there is none."""

    predicted_at: Ints
    features: DictionaryColumn
    prediction: DictionaryColumn
    probabilities: DictionaryColumn
    confidence: NDArray[np.float64]
    latency_us: Ints
    outcome: DictionaryColumn

    @classmethod
    def from_rows(cls, rows: Sequence[LoggedRow]) -> LogColumns:
        """Return the columns of rows."""
        return cls(
            np.array([row.predicted_at for row in rows], dtype=np.int64),
            DictionaryColumn.encode(row.features for row in rows),
            DictionaryColumn.encode(row.prediction for row in rows),
            DictionaryColumn.encode(row.probabilities for row in rows),
            np.array([row.confidence for row in rows], dtype=np.float64),
            np.array([row.latency_us for row in rows], dtype=np.int64),
            DictionaryColumn.encode(row.outcome for row in rows),
        )

    @classmethod
    def from_chunk(cls, rows: RowChunk, outcomes: OutcomeChunk | None) -> LogColumns:
        """Return the columns of rows that were read as long texts; of several outcomes the last one counts."""
        seq, moment, latency_us, confidence = map(_parse_integers, rows.numeric_texts)
        features, prediction, probabilities = (
            DictionaryColumn.from_joined_text(one, rows.n_rows)
            for one in (rows.features, rows.prediction, rows.probabilities)
        )
        known = _latest_outcomes(seq, outcomes)
        return cls(moment, features, prediction, probabilities, confidence / CONFIDENCE_SCALE, latency_us, known)


def _latest_outcomes(seq: Ints, outcomes: OutcomeChunk | None) -> DictionaryColumn:
    """Return the last outcome of each prediction."""
    nothing = DictionaryColumn((None,), np.zeros(len(seq), dtype=np.int64))
    if outcomes is None or not outcomes.sequence_texts[0]:
        return nothing
    of, numbers = map(_parse_integers, outcomes.sequence_texts)
    said = DictionaryColumn.from_joined_text(outcomes.outcomes, len(of))
    order = np.argsort(seq)
    place = np.minimum(np.searchsorted(seq, of, sorter=order), len(seq) - 1)
    rows = order[place]
    latest = np.argsort(numbers)
    latest = latest[seq[rows[latest]] == of[latest]]  # the others are of rows of another kind
    at = nothing.indices.copy()
    at[rows[latest]] = said.indices[latest] + 1  # where a row is named twice the later one stays
    return DictionaryColumn((None, *said.dictionary), at)


def _parse_integers(text: str) -> Ints:
    """Return the whole numbers that stand in a text."""
    return np.fromstring(text, dtype=np.int64, sep=TEXT_SEPARATOR)
