"""Choose the encoding of a column: the declared one, or the one that fits its kind and the form of the matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.features_config import DatesConfig, FeaturesConfig, NumbersConfig, TextConfig, WordsConfig
from pipeline.errors import ConfigError, did_you_mean
from pipeline.schema.column_values import factorize_texts

if TYPE_CHECKING:
    from pipeline.modeling.encoding.column_encoding import FormOptions
    from pipeline.schema import Column, Schema
    from pipeline.schema.column_kinds import ColumnKind

__all__ = ["PLAIN_FEATURES", "choose_method", "plain_columns"]

METHODS: dict[ColumnKind, tuple[str, ...]] = {
    "integer": ("plain", "log", "bins"),
    "float": ("plain", "log", "bins"),
    "boolean": ("codes",),
    "category": ("codes", "one_hot", "words", "text"),
    "text": ("words", "text"),
    "datetime": ("parts", "days"),
}
_MIN_KNOWN_SHARE = 0.5

# What a baseline, or a comparison of two sets of rows, sees of each column.
PLAIN_FEATURES = FeaturesConfig(
    missing="auto",
    imputation="median",
    missing_indicators="auto",
    categories="auto",
    max_codes=12,
    max_one_hot=40,
    scale="auto",
    numbers=NumbersConfig(clip=0.0, n_bins=10),
    dates=DatesConfig(parts=(), cyclic="never"),
    words=WordsConfig(min_rows=5, max_words=1000, target=True, n_components=0),
    text=TextConfig(
        analyzer="char_wb", ngram_range=(3, 4), min_rows=5, max_ngrams=1024, n_components=5, max_characters=2000
    ),
)


def plain_columns(schema: Schema) -> Schema:
    """Return `schema` with columns that declare no encoding; texts are encoded as words."""
    columns = tuple(
        replace(column, encode={"method": "words" if column.kind == "text" else "auto"}) for column in schema.columns
    )
    return replace(schema, columns=columns)


def choose_method(column: Column, values: Any, features: FeaturesConfig, form: FormOptions) -> str:
    """Return the method that `column` declares, or the one that `auto` stands for.

    - Numbers: `plain`. Booleans: `codes`. Dates: `parts`.
    - Categories: `codes` or `one_hot`, as the form of the matrix is; `words` where there are many.
    - Texts: `words` where at least half of the train rows have one of the frequent words, else `text`.

    Raises
    ------
    ConfigError
        When the kind of the column does not have the declared method.
    """
    known = METHODS[column.kind]
    if column.encode_method != "auto":
        if column.encode_method not in known:
            raise ConfigError(
                f"data.columns.{column.name}.encode: {column.encode_method!r} is not a method of {column.kind}"
                f" columns; known: auto, {', '.join(known)}{did_you_mean(column.encode_method, known)}"
            )
        return column.encode_method
    if column.kind == "category":
        limit = features.max_codes if form.categories == "codes" else features.max_one_hot
        return form.categories if len(column.categories) <= limit else "words"
    if column.kind == "text":
        return "words" if _known_share(values, features.words.min_rows) >= _MIN_KNOWN_SHARE else "text"
    return known[0]


def _known_share(values: Any, min_rows: int) -> float:
    """Return the share of present values that occur in `min_rows` rows or more; 1 where all are missing."""
    positions, texts = factorize_texts(values)
    counts = np.bincount(positions[positions >= 0], minlength=len(texts))
    return float(counts[counts >= min_rows].sum() / max(1, counts.sum())) if len(texts) else 1.0
