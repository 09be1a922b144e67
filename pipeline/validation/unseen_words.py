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
    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Column, Schema
    from pipeline.validation.arrow_rows import ArrowRows

__all__ = ["UnseenWords", "count_unseen_words", "unseen_word_findings"]

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
        The most frequent of these words with their rows; none of a private column.
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


def count_unseen_words(rows: ArrowRows, schema: Schema) -> tuple[UnseenWords, ...]:
    """Return the unlisted words of each open feature that has some, in the declared order."""
    columns = [column for column in schema.features if column.accepts_unseen and column.name in rows.kinds]
    counts: dict[str, Counter[str]] = {column.name: Counter() for column in columns}
    totals: Counter[str] = Counter()
    for batch in rows.batches(list(counts)) if columns else ():
        for column in columns:
            array = batch.column(column.name)
            words = array.dictionary.to_pylist()
            n_rows = np.bincount(np.asarray(array.indices.drop_null()), minlength=len(words)).tolist()
            known = set(column.categories)
            unseen = {word: n for word, n in zip(words, n_rows, strict=True) if n and word not in known}
            totals[column.name] += sum(unseen.values())
            if len(counts[column.name]) < _MAX_COUNTED_WORDS:
                counts[column.name].update(unseen)
    return tuple(
        UnseenWords(column.name, rows.n_rows, totals[column.name], _examples(column, counts[column.name]))
        for column in columns
        if totals[column.name]
    )


def _examples(column: Column, counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    if column.is_private:
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
