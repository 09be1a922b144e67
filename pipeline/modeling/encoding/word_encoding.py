"""Encode words with many values: by frequency and by the classes of their rows, rare ones together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline.modeling.encoding.column_encoding import ENCODINGS, ColumnEncoding, Scaling, fit_scaling, min_group_rows
from pipeline.modeling.encoding.float32 import round_to_float32
from pipeline.modeling.encoding.ngram_block import NgramBlock, fit_ngram_block
from pipeline.modeling.encoding.target_means import fit_target_means, out_of_fold_means
from pipeline.modeling.encoding.text_encoding import fit_block_scale
from pipeline.schema.column_values import factorize_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.modeling.encoding.column_encoding import FitContext, Floats, Matrix
    from pipeline.modeling.encoding.target_means import TrainTarget
    from pipeline.schema import Column

__all__ = ["FrequentWords"]

_N_DIGITS = 7
_WORDS_PER_COMPONENT = 4  # a few words are known by their table


@ENCODINGS.add("words")
@dataclass(frozen=True, kw_only=True)
class FrequentWords(ColumnEncoding):
    """The share of train rows of a word, the smoothed shares of the classes among them, and n-gram components.

    Words of fewer than `min_rows` train rows are one word, `other`, and so is a word that training lacks. A missing
    value is a word of its own. `table` has a row for each of `words`, then one for `other` and one for missing.
    """

    method = "words"
    shares_work = True
    words: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    table: tuple[tuple[float, ...], ...] = ()
    scalings: tuple[Scaling, ...] = ()
    block: NgramBlock | None = None
    block_scale: float = 1.0

    @classmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Fit the known words, their numbers, and n-grams where `n_components` is above 0."""
        settings = context.features.words.with_keys(context.settings, column=column.name)
        positions, texts = factorize_texts(values)
        counts = np.bincount(positions[positions >= 0], minlength=len(texts))
        words = _frequent_words(
            column, texts, counts, min_rows=min_group_rows(column, settings.min_rows), max_words=settings.max_words
        )
        target = context.target if settings.target else None
        unfitted = cls(name=column.name, kind=column.kind, words=words)
        codes = unfitted.codes(positions, texts)
        n_codes = len(words) + 2
        columns = [np.bincount(codes, minlength=n_codes)[:, None] / max(1, len(codes))]
        if target is not None:
            columns.append(fit_target_means(codes, target.indicators, n_words=n_codes))
        table = _few_digits(np.hstack(columns))
        train_numbers = round_to_float32(table[codes])
        block = None
        n_components = min(settings.n_components, len(texts) // _WORDS_PER_COMPONENT)
        if n_components:
            text = context.features.text.with_keys({"n_components": n_components}, column=column.name)
            block = fit_ngram_block(texts, counts, text, column=column)
        return cls(
            name=column.name,
            kind=column.kind,
            words=words,
            classes=() if target is None else target.encoded_classes,
            table=tuple(map(tuple, table.tolist())),
            scalings=tuple(fit_scaling(numbers, context.form) for numbers in train_numbers.T),
            block=block,
            block_scale=1.0 if block is None else fit_block_scale(block.transform(texts)[positions], context.form),
            indicator=context.form.needs_indicator(
                column, has_missing=bool((positions < 0).any()), is_replaced=context.form.missing == "impute"
            ),
        )

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of frequency, classes and components."""
        if len(self.classes) == 1:
            means: tuple[str, ...] = (f"{self.name}=target",)
        else:
            means = tuple(f"{self.name}=target_{code}" for code in self.classes)
        n_components = 0 if self.block is None else self.block.n_components
        return (f"{self.name}=share", *means, *(f"{self.name}=ngrams_{at + 1}" for at in range(n_components)))

    def codes(self, positions: NDArray[np.intp], texts: Sequence[Any]) -> NDArray[np.intp]:
        """Return the row of `table` of each value."""
        code_of, other = self._code_of, len(self.words)
        listed = [*(code_of.get(text, other) for text in texts), other + 1]
        return np.array(listed, dtype=np.intp)[positions]

    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write the rows of the table, then the components."""
        positions, texts = factorize_texts(values)
        n_numbers = len(self.scalings)
        out[:, :n_numbers] = self._scaled_table[self.codes(positions, texts)]
        if self.block is not None:
            block = self.block.transform(texts) / self.block_scale
            out[:, n_numbers:] = np.vstack([block, np.zeros((1, block.shape[1]))])[positions]
        return positions < 0

    def encode_out_of_fold(self, values: Any, out: Matrix, *, target: TrainTarget) -> NDArray[np.bool_]:
        """Write the matrix of train rows: the classes of a word come from the rows of other folds."""
        is_missing = self.encode(values, out)
        if self.classes:
            codes = self.codes(*factorize_texts(values))
            means = _few_digits(out_of_fold_means(codes, target, n_words=len(self.words) + 2))
            for at, column in enumerate(means.T, start=1):
                out[:, at] = self.scalings[at].apply(round_to_float32(column))
        return is_missing

    @cached_property
    def _code_of(self) -> dict[str, int]:
        return {word: code for code, word in enumerate(self.words)}

    @cached_property
    def _scaled_table(self) -> Matrix:
        table = round_to_float32(np.array(self.table, dtype=np.float64))
        return np.column_stack([scaling.apply(column) for scaling, column in zip(self.scalings, table.T, strict=True)])

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.common_values,
            "words": list(self.words),
            "classes": list(self.classes),
            "table": [list(row) for row in self.table],
            "scalings": [asdict(scaling) for scaling in self.scalings],
            "block": None if self.block is None else self.block.as_dict(),
            "block_scale": self.block_scale,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""
        nested = {
            "words": tuple(value["words"]),
            "classes": tuple(value["classes"]),
            "table": tuple(tuple(row) for row in value["table"]),
            "scalings": tuple(Scaling(**scaling) for scaling in value["scalings"]),
            "block": None if value["block"] is None else NgramBlock.from_dict(value["block"]),
        }
        return cls(**{**value, **nested})


def _few_digits(numbers: Floats) -> Floats:
    """Return numbers of few digits, which JSON carries without loss."""
    return np.array([[float(f"{number:.{_N_DIGITS}g}") for number in row] for row in numbers.tolist()]).reshape(
        numbers.shape
    )


def _frequent_words(
    column: Column, texts: Sequence[Any], counts: NDArray[np.int64], *, min_rows: int, max_words: int
) -> tuple[str, ...]:
    """Return the words of enough rows, the most frequent first; equal ones in the order of their characters."""
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{column.name}: {text!r} is not a text")
    frequent = [(-int(count), text) for text, count in zip(texts, counts, strict=True) if count >= min_rows]
    return tuple(text for _, text in sorted(frequent)[:max_words])
