"""Describe a column in figures: its spread, its commonest values, its histogram."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.validation.findings import clipped

if TYPE_CHECKING:
    from pipeline.validation.tally import ColumnTally

__all__ = ["Profile", "describe"]

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_PARTS = 20
_TOP = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """One column in figures; those of numbers are None for words.

    `quantiles` are exact up to 200,000 rows, and of evenly spaced rows beyond. `bars` are (name, rows): the
    commonest values, or 20 parts of equal width.
    """

    column: str
    kind: str
    n_rows: int
    n_missing: int
    n_distinct: int | None
    low: float | None
    high: float | None
    mean: float | None
    deviation: float | None
    quantiles: dict[str, float | None]
    bars: tuple[tuple[str, int], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        plain["bars"] = [{"value": value, "rows": rows} for value, rows in self.bars]
        return plain


def describe(column: ColumnTally) -> Profile:
    """Return the profile of a column; figures have 10 significant digits."""
    numbers = column.sample if column.kind in ("integer", "float") else np.empty(0)
    has_numbers = len(numbers) > 0
    with np.errstate(over="ignore", invalid="ignore"):  # figures that no float holds are left out
        quantiles = np.quantile(numbers, _QUANTILES).tolist() if has_numbers else []
        mean, deviation = (float(numbers.mean()), float(numbers.std())) if has_numbers else (None, None)
    return Profile(
        column=column.name,
        kind=column.kind,
        n_rows=column.n_rows,
        n_missing=column.n_missing,
        n_distinct=column.n_distinct,
        low=_short(column.low),
        high=_short(column.high),
        mean=_short(mean),
        deviation=_short(deviation),
        quantiles={f"{100 * q:g} %": _short(x) for q, x in zip(_QUANTILES, quantiles, strict=False)},
        bars=_bars(column),
    )


def _short(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.10g}")


def _bars(column: ColumnTally) -> tuple[tuple[str, int], ...]:
    if column.values is not None and (len(column.values) <= _TOP or not len(column.sample)):
        pairs = list(zip((clipped(str(value)) for value in column.values), column.counts.tolist(), strict=True))
        return tuple(pairs if len(pairs) <= _TOP else sorted(pairs, key=lambda one: (-one[1], one[0]))[:_TOP])
    if not len(column.sample) or not np.isfinite(column.sample[-1] - column.sample[0]):
        return ()
    counts, edges = np.histogram(column.sample, bins=_PARTS)
    scale = (column.n_rows - column.n_missing) / len(column.sample)
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return tuple(zip(names, [round(n * scale) for n in counts.tolist()], strict=True))
