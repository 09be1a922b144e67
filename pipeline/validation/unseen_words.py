"""Count the words of open columns that their declaration does not list; they are encoded as `other`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.schema.constraint_base import format_value
from pipeline.text import pluralize
from pipeline.validation.findings import ValidationFinding, level_for_share, shorten_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Column, ColumnKind, Schema
    from pipeline.validation.arrow_rows import ArrowRows

__all__ = ["UnseenWordCounter", "UnseenWords", "count_unseen_words", "unseen_word_findings"]

_MAX_COUNTED_WORDS = 100_000
_MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class UnseenWords:
    """The words of one open column that are not listed.

    Attributes
    ----------
    column : str
    n_rows : int
        Rows of the table.
    n_unseen : int
        Rows with such a word.
    examples : tuple of (str, int)
        The most frequent of these words with their rows; none of a private column, or of more than 100,000 words.
    """

    column: str
    n_rows: int
    n_unseen: int
    examples: tuple[tuple[str, int], ...]

    @property
    def message(self) -> str:
        """One sentence: how many rows, and which words."""
        listed = ", ".join(f"{format_value(shorten_text(word))} ({n:,})" for word, n in self.examples)
        which = f": {listed}" if listed else ""
        rows = f"{self.n_unseen:,} of {pluralize(self.n_rows, 'row')}"
        verb = "has" if self.n_unseen == 1 else "have"
        return f"{rows} {verb} a word that checks.isin does not list; it is encoded as other{which}"


class UnseenWordCounter:
    """The unlisted words of the open features of a table so far, or of one part of it.

    Parameters
    ----------
    kinds : mapping
        Kind of each column that can be read in every part.
    schema : Schema
    """

    def __init__(self, kinds: Mapping[str, ColumnKind], schema: Schema) -> None:
        self._columns = [column for column in schema.features if column.accepts_unseen and column.name in kinds]
        self.totals: Counter[str] = Counter()
        # None from 100,001 different words on: the counts of some of them would depend on the order of the rows.
        self.counts: dict[str, Counter[str] | None] = {column.name: Counter() for column in self._columns}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the unlisted words of a batch."""
        for column in self._columns:
            array = batch.column(column.name)
            words = array.dictionary.to_pylist()
            n_rows = np.bincount(np.asarray(array.indices.drop_null()), minlength=len(words)).tolist()
            known = set(column.categories)
            unseen = {word: n for word, n in zip(words, n_rows, strict=True) if n and word not in known}
            self._count(column.name, unseen, sum(unseen.values()))

    def _count(self, column: str, unseen: Mapping[str, int] | None, n_rows: int) -> None:
        self.totals[column] += n_rows
        counts = self.counts[column]
        if counts is None or unseen is None:
            self.counts[column] = None
            return
        counts.update(unseen)
        if len(counts) > _MAX_COUNTED_WORDS:
            self.counts[column] = None

    def merge(self, part: UnseenWordCounter) -> None:
        """Add the words of another part."""
        for column, counts in part.counts.items():
            self._count(column, counts, part.totals[column])

    def to_words(self, n_rows: int) -> tuple[UnseenWords, ...]:
        """Return the words of each column with some, in the declared order; `n_rows` is that of the whole table."""
        return tuple(
            UnseenWords(column.name, n_rows, self.totals[column.name], _examples(column, self.counts[column.name]))
            for column in self._columns
            if self.totals[column.name]
        )


def count_unseen_words(rows: ArrowRows, schema: Schema) -> tuple[UnseenWords, ...]:
    """Return the unlisted words of each open feature that has some, in the declared order."""
    counter = UnseenWordCounter(rows.kinds, schema)
    for batch in rows.batches(list(counter.counts)) if counter.counts else ():
        counter.add(batch)
    return counter.to_words(rows.n_rows)


def _examples(column: Column, counts: Counter[str] | None) -> tuple[tuple[str, int], ...]:
    if column.is_private or counts is None:
        return ()
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_EXAMPLES])


def unseen_word_findings(counts: tuple[UnseenWords, ...], config: ValidationConfig) -> tuple[ValidationFinding, ...]:
    """Return a finding for each column with unlisted words; these rows fail no check and remain."""
    thresholds = config.rules["unseen"]
    return tuple(
        ValidationFinding(
            rule="unseen",
            column=each.column,
            level=level_for_share(each.n_unseen / each.n_rows, thresholds),
            share=each.n_unseen / each.n_rows,
            n_failed=each.n_unseen,
            n_rows=each.n_rows,
            message=each.message,
            cause="New words at the source, or rare words that the declaration leaves out; list the frequent ones.",
        )
        for each in counts
    )
