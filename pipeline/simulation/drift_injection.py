"""Inject drift of a known size into rows: numeric shifts, category shares, missing shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.scenario_config import ConditionConfig, DriftInjectionConfig
    from pipeline.schema import Column, Schema

    Mask = NDArray[np.bool_]

__all__ = ["DriftInjection", "RowCondition", "apply_drift", "plan_condition", "plan_drift_injections"]


@dataclass(frozen=True, slots=True)
class DriftInjection:
    """One change of one feature, with the statistics of the rows before it.

    Parameters
    ----------
    column : Column
    present : Series
        Values before the change, without missing ones; replacements are sampled from them.
    missing_share : float
        Share of missing values before the change.
    shift : float or None
        Added to numbers, in their unit; the result is clipped to the declared bounds.
    word : str, bool or None
    share : float or None
        Share of `word` after the change; of missing values without a word.
    """

    column: Column
    present: pd.Series
    missing_share: float
    shift: float | None = None
    word: str | bool | None = None
    share: float | None = None

    def apply(self, values: pd.Series, rng: np.random.Generator) -> pd.Series:
        """Return the changed values; rows are selected at random, so that any number of rows drifts alike."""
        if self.shift is not None:
            return self._apply_shift(values, self.shift, rng)
        assert self.share is not None  # noqa: S101 - narrows the type; the settings are validated
        if self.word is None:
            return self._apply_missing_share(values, self.share, rng)
        return self._apply_word_share(values, self.share, rng)

    def _apply_shift(self, values: pd.Series, shift: float, rng: np.random.Generator) -> pd.Series:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan) + shift
        if self.column.kind == "integer":  # random rounding keeps the mean shift exact
            numbers = np.floor(numbers + rng.random(len(numbers)))
        low = -np.inf if self.column.minimum is None else self.column.minimum
        high = np.inf if self.column.maximum is None else self.column.maximum
        return _to_series(np.clip(numbers, low, high), values)

    def _apply_missing_share(self, values: pd.Series, share: float, rng: np.random.Generator) -> pd.Series:
        is_missing = values.isna().to_numpy()
        if share >= self.missing_share:
            return values.mask(~is_missing & (rng.random(len(values)) < _change_probability(share, self.missing_share)))
        return self._replace_values(
            values, is_missing & (rng.random(len(values)) < 1 - share / self.missing_share), rng
        )

    def _apply_word_share(self, values: pd.Series, share: float, rng: np.random.Generator) -> pd.Series:
        known = values.fillna(self.present.iloc[0]) if len(self.present) else values
        is_word, is_present = (known == self.word).to_numpy(dtype=bool), values.notna().to_numpy()
        before = float((self.present == self.word).mean()) if len(self.present) else 0.0
        draws = rng.random(len(values))
        if share >= before:
            return values.mask(is_present & ~is_word & (draws < _change_probability(share, before)), self.word)
        return self._replace_values(values, is_present & is_word & (draws < 1 - share / before), rng, without=self.word)

    def _replace_values(
        self, values: pd.Series, where: Mask, rng: np.random.Generator, *, without: str | bool | None = None
    ) -> pd.Series:
        pool = self.present if without is None else self.present[self.present != without]
        if len(pool) == 0:
            return values
        changed = values.copy()
        changed[where] = pool.iloc[rng.integers(0, len(pool), int(where.sum()))].to_numpy()
        return changed


@dataclass(frozen=True, slots=True)
class RowCondition:
    """Rows with one category of a feature, or with a number above a limit."""

    column: str
    word: str | bool | None = None
    above: float | None = None

    def mask(self, rows: pd.DataFrame) -> Mask:
        """Return which rows meet it; a missing value does not."""
        values = rows[self.column]
        met = values == self.word if self.above is None else values > self.above
        return met.to_numpy(dtype=np.bool_, na_value=False)


def plan_condition(condition: ConditionConfig, schema: Schema, rows: pd.DataFrame) -> RowCondition:
    """Return the condition with its column and its limit; a quantile refers to these rows.

    Raises
    ------
    ConfigError
        When the feature or the category is not declared, or the feature is not numeric.
    """
    column = _find_column(condition.column, schema)
    if condition.above is None:
        assert condition.word is not None  # noqa: S101 - narrows the type; the settings are validated
        return RowCondition(column.name, word=_find_word(condition.word, column))
    if not column.is_numeric:
        raise ConfigError(f"above: {column.name} is not numeric; set `word`")
    numbers = rows[column.name].dropna().to_numpy(dtype=np.float64)
    return RowCondition(column.name, above=float(np.quantile(numbers, condition.above)))


def plan_drift_injections(
    changes: Sequence[DriftInjectionConfig], schema: Schema, rows: pd.DataFrame
) -> tuple[DriftInjection, ...]:
    """Return the injections that the changes define for these rows.

    Parameters
    ----------
    changes : sequence of DriftInjectionConfig
    schema : Schema
    rows : DataFrame
        Rows before the change; standard deviations and shares refer to them.

    Raises
    ------
    ConfigError
        When a feature or category is not declared, or cannot change that way.
    """
    return tuple(_plan_drift_injection(change, _find_column(change.column, schema), rows) for change in changes)


def apply_drift(rows: pd.DataFrame, injections: Sequence[DriftInjection], rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows with all injections applied in order."""
    columns = {injection.column.name: rows[injection.column.name] for injection in injections}
    for injection in injections:
        name = injection.column.name
        columns[name] = injection.apply(columns[name], rng)
    return rows.assign(**columns)


def _change_probability(after: float, before: float) -> float:
    """Return the probability with which each other value must change to raise a share."""
    return 1.0 if before >= 1 else (after - before) / (1 - before)


def _to_series(numbers: NDArray[np.float64], like: pd.Series) -> pd.Series:
    import pandas as pd

    series = pd.Series(numbers, index=like.index)
    return series.mask(np.isnan(numbers)).astype(like.dtype)


def _find_column(word: str, schema: Schema) -> Column:
    """Return a feature by its name, or by `number N` and `words N`."""
    features = {column.name: column for column in schema.features}
    if word in features:
        return features[word]
    kind, _, number = word.partition(" ")
    if kind in ("number", "words") and number.isdigit() and int(number) > 0:
        is_of_kind = (lambda column: column.is_numeric) if kind == "number" else _is_categorical
        candidates = [column for column in schema.features if is_of_kind(column)]
        if int(number) <= len(candidates):
            return candidates[int(number) - 1]
        label = "numeric" if kind == "number" else "categorical"
        raise ConfigError(
            f"column: {word!r}: {schema.name} has {len(candidates)} {label} features; choose another scenario"
        )
    known = ", ".join(features)
    raise ConfigError(
        f"column: {word!r} is not a feature of {schema.name}; known: {known}, or `number N`, `words N`"
        f"{did_you_mean(word, features)}"
    )


def _is_categorical(column: Column) -> bool:
    return column.kind in ("category", "boolean")


def _plan_drift_injection(change: DriftInjectionConfig, column: Column, rows: pd.DataFrame) -> DriftInjection:
    values = rows[column.name]
    present, missing = values.dropna(), float(values.isna().mean())
    if change.shift is not None:
        if not column.is_numeric:
            raise ConfigError(f"shift: {column.name} is not numeric; set `word` and `share`")
        spread = float(present.to_numpy(dtype=np.float64).std()) if len(present) else 0.0
        return DriftInjection(column, present, missing, shift=change.shift * spread)
    if change.word is None:
        if not column.nullable:
            raise ConfigError(f"missing: {column.name} has nullable: false, so a server rejects such rows")
        return DriftInjection(column, present, missing, share=change.missing)
    return DriftInjection(column, present, missing, word=_find_word(change.word, column), share=change.share)


def _find_word(word: str, column: Column) -> str | bool:
    if not _is_categorical(column):
        raise ConfigError(f"word: {column.name} is not categorical; set `shift` or `missing`")
    words: tuple[str, ...] = column.categories if column.kind == "category" else ("false", "true")
    kind, _, number = word.partition(" ")
    if word not in words and kind == "word" and number.isdigit() and 0 < int(number) <= len(words):
        word = words[int(number) - 1]
    if word not in words:
        raise ConfigError(f"word: {word!r} is not a category of {column.name}; known: {', '.join(words)}, or `word N`")
    return word == "true" if column.kind == "boolean" else word
