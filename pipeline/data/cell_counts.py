"""Distinct texts of a column with their counts, and the words among them that mark a missing value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.schema import TextFormat

__all__ = ["ALWAYS_MISSING", "CellCounts", "UnreadTexts", "quote_examples"]

# Words of programs, which mean a missing value in a column of any kind.
ALWAYS_MISSING = frozenset({"NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null"})
# Words that mean a missing value among numbers, dates and answers: in small letters, capitals, or with an initial.
_MISSING_AMONG_VALUES = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "none", "nil", "?", "-", "--", ".", "unknown", "missing"}
    | {
        "not available",
        "not applicable",
        "inf",
        "-inf",
        "+inf",
        "infinity",
        "-infinity",
        "1.#inf",
        "#value!",
        "#div/0!",
    }
    | {"tbd", "undefined", "blank", "(blank)", "nat"}
)
_WORD_SET = pa.array(
    sorted(
        f"{blank}{form}"
        for word in _MISSING_AMONG_VALUES
        for form in {word, word.upper(), word.capitalize(), word.title()}
        for blank in ("", " ")
    )
)
_MAX_FOREIGN_TEXTS = 5
_MAX_FOREIGN_SHARE = 0.05
_MIN_VALUES = 12
_N_EXAMPLES = 3
_SAMPLE = 500
_MAX_EXAMPLE_LENGTH = 30


class UnreadTexts(NamedTuple):
    """Rows whose text a format does not read, the number of such texts, and the most frequent ones."""

    n_rows: int
    n_texts: int
    examples: list[str]


@dataclass(frozen=True, slots=True)
class CellCounts:
    """The texts of a column: `texts` once each, with the number of their rows in `counts`.

    `words` are those that mark a missing value among numbers and dates, and are in no other list. `n_rows` includes
    missing cells.
    """

    texts: pa.Array
    counts: NDArray[np.int64]
    words: dict[str, int]
    n_rows: int

    @classmethod
    def of(cls, column: pa.Array) -> CellCounts:
        """Return the counts of a column of texts, null where a value is missing."""
        table = pc.value_counts(column.drop_null())
        texts, counts = table.field("values"), table.field("counts").to_numpy()
        is_word = pc.is_in(texts, value_set=_WORD_SET).to_numpy(zero_copy_only=False)
        words = dict(zip(texts.filter(pa.array(is_word)).to_pylist(), counts[is_word].tolist(), strict=True))
        return cls(texts.filter(pa.array(~is_word)), counts[~is_word], words, len(column))

    @property
    def n_present(self) -> int:
        """Rows with another text than the words of missing values."""
        return int(self.counts.sum())

    def foreign(self, text_format: TextFormat) -> dict[str, int] | None:
        """Return the texts that a format does not read with their counts; None where there are too many of them.

        At most five such texts, without digits and in at most 5 % of the rows, are words for something missing, but
        not beside few different values: these are levels.
        """
        sample = self.texts.slice(0, _SAMPLE)
        if 2 * parse_column(sample, text_format)[1].size > len(sample):
            return None
        invalid = parse_column(self.texts, text_format)[1]
        if not invalid.size:
            return {}
        if invalid.size > _MAX_FOREIGN_TEXTS or len(self.texts) - invalid.size < _MIN_VALUES:
            return None
        if self.counts[invalid].sum() > _MAX_FOREIGN_SHARE * self.n_present:
            return None
        foreign = dict(zip(self.texts.take(pa.array(invalid)).to_pylist(), self.counts[invalid].tolist(), strict=True))
        return None if any(re.search(r"[0-9]", text) for text in foreign) else foreign

    def unread(self, text_format: TextFormat) -> UnreadTexts:
        """Return what a format does not read."""
        invalid = parse_column(self.texts, text_format)[1]
        order = invalid[np.argsort(-self.counts[invalid], kind="stable")]
        examples = self.texts.take(pa.array(order[:_N_EXAMPLES])).to_pylist()
        return UnreadTexts(int(self.counts[invalid].sum()), len(invalid), examples)

    def with_words(self, words: set[str]) -> pa.Array:
        """Return the distinct texts, and those words of missing values that are not in `words`."""
        others = [word for word in self.words if word not in words]
        return pa.concat_arrays([self.texts, pa.array(others, pa.string())]) if others else self.texts


def quote_examples(texts: list[str]) -> str:
    """Return some texts in quotes, shortened, for a message."""
    shown = [text if len(text) <= _MAX_EXAMPLE_LENGTH else f"{text[:_MAX_EXAMPLE_LENGTH]}..." for text in texts]
    return ", ".join(repr(text) for text in shown[:_N_EXAMPLES])
