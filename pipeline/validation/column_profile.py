"""Compute the profile of a column: its spread, its most frequent values, its histogram."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.validation.findings import shorten_text

if TYPE_CHECKING:
    from pipeline.validation.column_stats import ColumnStats

__all__ = ["ColumnProfile", "profile_column"]

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_N_BINS = 20
_MAX_BARS = 20
_HIDDEN_BAR = "values of few rows"


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """Statistics of one column; those of numbers are None for texts.

    Statistics of a private column are those of levels of groups of rows; `bars` names no value of few rows.
    `quantiles` are exact up to 200,000 rows, and estimated from evenly spaced rows beyond. `bars` are (name, rows):
    the most frequent values, or 20 bins of equal width.
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


def profile_column(column: ColumnStats) -> ColumnProfile:
    """Return the profile of a column; statistics have 10 significant digits."""
    numbers = column.shown_sample if column.kind in ("integer", "float") else np.empty(0)
    has_numbers = len(numbers) > 0
    with np.errstate(over="ignore", invalid="ignore"):  # a statistic that overflows is left out
        quantiles = np.quantile(numbers, _QUANTILES).tolist() if has_numbers else []
        mean, deviation = (float(numbers.mean()), float(numbers.std())) if has_numbers else (None, None)
    low, high = column.shown_range
    return ColumnProfile(
        column=column.name,
        kind=column.kind,
        n_rows=column.n_rows,
        n_missing=column.n_missing,
        n_distinct=column.n_distinct,
        low=_round_or_none(low),
        high=_round_or_none(high),
        mean=_round_or_none(mean),
        deviation=_round_or_none(deviation),
        quantiles={f"{100 * q:g} %": _round_or_none(x) for q, x in zip(_QUANTILES, quantiles, strict=False)},
        bars=_histogram_bars(column),
    )


def _round_or_none(value: float | None) -> float | None:
    if value is None or not np.isfinite(value):
        return None
    rounded = float(f"{value:.10g}")
    return rounded if np.isfinite(rounded) else value  # the largest floats round up to infinity


def _histogram_bars(column: ColumnStats) -> tuple[tuple[str, int], ...]:
    if column.values is not None and (len(column.values) <= _MAX_BARS or not len(column.sample)):
        return _value_bars(column.values, column.counts.tolist(), column.shown_values)
    sample = column.shown_sample
    if not len(sample) or not np.isfinite(sample[-1] - sample[0]):
        return ()
    counts, edges = np.histogram(sample, bins=_N_BINS)
    scale = (column.n_rows - column.n_missing) / len(sample)
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return tuple(zip(names, [round(n * scale) for n in counts.tolist()], strict=True))


def _value_bars(values: tuple[Any, ...], counts: list[int], is_shown: tuple[bool, ...]) -> tuple[tuple[str, int], ...]:
    """Return the most frequent values in their order; those that are not shown count together."""
    pairs = [(shorten_text(str(value)), n) for value, n, shown in zip(values, counts, is_shown, strict=True) if shown]
    n_hidden = sum(n for n, shown in zip(counts, is_shown, strict=True) if not shown)
    pairs += [(_HIDDEN_BAR, n_hidden)] if n_hidden else []
    return tuple(pairs if len(pairs) <= _MAX_BARS else sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:_MAX_BARS])
