"""Encode free text: its length, and a small dense block of its n-grams."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline.modeling.encoding.column_encoding import ENCODINGS, ColumnEncoding, Scaling, fit_scaling
from pipeline.modeling.encoding.float32 import nearest_float32, round_to_float32
from pipeline.modeling.encoding.ngram_block import NgramBlock, fit_ngram_block
from pipeline.schema.column_values import factorize_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.encoding.column_encoding import FitContext, Floats, FormOptions, Matrix
    from pipeline.schema import Column

__all__ = ["TextBlock", "fit_block_scale"]


def fit_block_scale(block: Floats, form: FormOptions) -> float:
    """Return the number that divides a block: together its columns get the variance 1 where numbers are scaled."""
    total = float(np.sqrt(block.var(axis=0).sum())) if block.size else 0.0
    return nearest_float32(total) if form.scale == "standard" and total > 0 else 1.0


@ENCODINGS.add("text")
@dataclass(frozen=True, kw_only=True)
class TextBlock(ColumnEncoding):
    """The number of characters, and the components of the n-grams; a missing text has zeros there."""

    method = "text"
    shares_work = True
    scaling: Scaling
    block: NgramBlock
    block_scale: float = 1.0

    @classmethod
    def fit(cls, column: Column, values: Any, context: FitContext) -> Self:
        """Fit the n-grams to the distinct texts."""
        settings = context.features.text.with_keys(context.settings, column=column.name)
        positions, texts = factorize_texts(values)
        counts = np.bincount(positions[positions >= 0], minlength=len(texts))
        block = fit_ngram_block(texts, counts, settings, column=column)
        is_missing = positions < 0
        lengths = _lengths(positions, texts, settings.max_characters)
        present = block.transform(texts)[positions[~is_missing]]
        return cls(
            name=column.name,
            kind=column.kind,
            scaling=fit_scaling(round_to_float32(lengths), context.form),
            block=block,
            block_scale=fit_block_scale(present, context.form),
            indicator=context.form.needs_indicator(
                column, has_missing=bool(is_missing.any()), is_replaced=context.form.missing == "impute"
            ),
        )

    @property
    def value_names(self) -> tuple[str, ...]:
        """A name for the length, then one for each component."""
        components = (f"{self.name}=ngrams_{at + 1}" for at in range(self.block.n_components))
        return (f"{self.name}=length", *components)

    def encode(self, values: Any, out: Matrix) -> NDArray[np.bool_]:
        """Write length and components, each distinct text once."""
        positions, texts = factorize_texts(values)
        out[:, 0] = self.scaling.apply(_lengths(positions, texts, self.block.form.max_characters))
        block = self.block.transform(texts) / self.block_scale
        out[:, 1:] = np.vstack([block, np.zeros((1, self.block.n_components))])[positions]
        return positions < 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **self.common_values,
            "scaling": asdict(self.scaling),
            "block": self.block.as_dict(),
            "block_scale": self.block_scale,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the encoding that `as_dict` wrote."""
        nested = {"scaling": Scaling(**value["scaling"]), "block": NgramBlock.from_dict(value["block"])}
        return cls(**{**value, **nested})


def _lengths(positions: NDArray[np.intp], texts: Any, max_characters: int) -> Floats:
    """Return the number of characters of each value, at most `max_characters`; NaN where it is missing."""
    return np.array([*(float(min(len(text), max_characters)) for text in texts), np.nan])[positions]
