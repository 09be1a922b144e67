"""Move columns of rows by a known amount: numbers, the share of a word, the share of missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.scenario import ChangeConfig
    from pipeline.schema import Column, Schema

    Mask = NDArray[np.bool_]

__all__ = ["Movement", "move", "plan_movements"]


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of one column, with what must be known of the rows before it.

    Parameters
    ----------
    column : Column
    present : Series
        Values that rows had before, without missing ones; replacements are drawn from them.
    missing : float
        Share of missing values before.
    shift : float or None
        Added to numbers, in their own unit; the result is kept within the declared bounds.
    word : str, bool or None
    share : float or None
        Share of `word` afterwards, or of missing values where there is no word.
    """

    column: Column
    present: pd.Series
    missing: float
    shift: float | None = None
    word: str | bool | None = None
    share: float | None = None

    def of(self, values: pd.Series, rng: np.random.Generator) -> pd.Series:
        """Return the values moved; which rows change is drawn, so that any number of rows moves alike."""
        if self.shift is not None:
            return self._shifted(values, self.shift, rng)
        assert self.share is not None  # noqa: S101 - narrows the type; the settings have looked already
        if self.word is None:
            return self._with_missing(values, self.share, rng)
        return self._with_share(values, self.share, rng)

    def _shifted(self, values: pd.Series, shift: float, rng: np.random.Generator) -> pd.Series:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan) + shift
        if self.column.kind == "integer":  # rounded up or down by chance, so that the mean moves by the whole shift
            numbers = np.floor(numbers + rng.random(len(numbers)))
        low = -np.inf if self.column.minimum is None else self.column.minimum
        high = np.inf if self.column.maximum is None else self.column.maximum
        return _series(np.clip(numbers, low, high), values)

    def _with_missing(self, values: pd.Series, share: float, rng: np.random.Generator) -> pd.Series:
        is_missing = values.isna().to_numpy()
        if share >= self.missing:
            return values.mask(~is_missing & (rng.random(len(values)) < _odds(share, self.missing)))
        return self._replaced(values, is_missing & (rng.random(len(values)) < 1 - share / self.missing), rng)

    def _with_share(self, values: pd.Series, share: float, rng: np.random.Generator) -> pd.Series:
        known = values.fillna(self.present.iloc[0]) if len(self.present) else values
        is_word, is_present = (known == self.word).to_numpy(dtype=bool), values.notna().to_numpy()
        before = float((self.present == self.word).mean()) if len(self.present) else 0.0
        drawn = rng.random(len(values))
        if share >= before:
            return values.mask(is_present & ~is_word & (drawn < _odds(share, before)), self.word)
        return self._replaced(values, is_present & is_word & (drawn < 1 - share / before), rng, without=self.word)

    def _replaced(
        self, values: pd.Series, where: Mask, rng: np.random.Generator, *, without: str | bool | None = None
    ) -> pd.Series:
        pool = self.present if without is None else self.present[self.present != without]
        if len(pool) == 0:
            return values
        moved = values.copy()
        moved[where] = pool.iloc[rng.integers(0, len(pool), int(where.sum()))].to_numpy()
        return moved


def plan_movements(changes: Sequence[ChangeConfig], schema: Schema, rows: pd.DataFrame) -> tuple[Movement, ...]:
    """Return what the changes mean for rows of this kind.

    Parameters
    ----------
    changes : sequence of ChangeConfig
    schema : Schema
    rows : DataFrame
        Many rows as they are before: deviations and shares are theirs.

    Raises
    ------
    ConfigError
        When a column or word is not declared, or cannot move that way.
    """
    return tuple(_movement(one, _column(one.column, schema), rows) for one in changes)


def move(rows: pd.DataFrame, movements: Sequence[Movement], rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows with columns moved, one movement after another."""
    moved = {one.column.name: rows[one.column.name] for one in movements}
    for one in movements:
        moved[one.column.name] = one.of(moved[one.column.name], rng)
    return rows.assign(**moved)


def _odds(after: float, before: float) -> float:
    """Return the chance with which each other value must change so that a share rises."""
    return 1.0 if before >= 1 else (after - before) / (1 - before)


def _series(numbers: NDArray[np.float64], like: pd.Series) -> pd.Series:
    import pandas as pd

    moved = pd.Series(numbers, index=like.index)
    return moved.mask(np.isnan(numbers)).astype(like.dtype)


def _column(word: str, schema: Schema) -> Column:
    """Return a feature by its name, or by `number N` and `words N`."""
    features = {column.name: column for column in schema.features}
    if word in features:
        return features[word]
    kind, _, number = word.partition(" ")
    if kind in ("number", "words") and number.isdigit() and int(number) > 0:
        found = [one for one in schema.features if (one.is_numeric if kind == "number" else _has_words(one))]
        if int(number) <= len(found):
            return found[int(number) - 1]
        what = "numbers" if kind == "number" else "words"
        raise ConfigError(f"column: {word!r}: {schema.name} has {len(found)} features of {what}; take another scenario")
    known = ", ".join(features)
    raise ConfigError(
        f"column: {word!r} is no feature of {schema.name}; known: {known}, or `number N`, `words N`"
        f"{did_you_mean(word, features)}"
    )


def _has_words(column: Column) -> bool:
    return column.kind in ("category", "boolean")


def _movement(change: ChangeConfig, column: Column, rows: pd.DataFrame) -> Movement:
    values = rows[column.name]
    present, missing = values.dropna(), float(values.isna().mean())
    if change.shift is not None:
        if not column.is_numeric:
            raise ConfigError(f"shift: {column.name} holds no numbers; give it a word with its share")
        spread = float(present.to_numpy(dtype=np.float64).std()) if len(present) else 0.0
        return Movement(column, present, missing, shift=change.shift * spread)
    if change.word is None:
        if not column.nullable:
            raise ConfigError(f"missing: {column.name} is declared with nullable: false, so a server refuses such rows")
        return Movement(column, present, missing, share=change.missing)
    return Movement(column, present, missing, word=_word(change.word, column), share=change.share)


def _word(word: str, column: Column) -> str | bool:
    if not _has_words(column):
        raise ConfigError(f"word: {column.name} holds no words; give it a shift, or a share of missing")
    words: tuple[str, ...] = column.categories if column.kind == "category" else ("false", "true")
    kind, _, number = word.partition(" ")
    if word not in words and kind == "word" and number.isdigit() and 0 < int(number) <= len(words):
        word = words[int(number) - 1]
    if word not in words:
        raise ConfigError(f"word: {word!r} is no word of {column.name}; known: {', '.join(words)}, or `word N`")
    return word == "true" if column.kind == "boolean" else word
