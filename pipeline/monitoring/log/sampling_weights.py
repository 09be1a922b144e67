"""Combine logged rows with different sampling weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.state import RollupCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pipeline.state import LoggedRow

__all__ = ["effective_sample", "row_weights", "thin_to_equal_weight", "weighted_total"]


def weighted_total(weighted_tallies: Iterable[tuple[float, RollupCounts]], empty: RollupCounts) -> RollupCounts:
    """Estimate the tally of all predictions, logged or not, from tallies with the sampling weight of their rows."""
    total = empty
    for weight, tally in weighted_tallies:
        if weight == 1.0:
            total += tally
        else:
            total += RollupCounts(tally.n_rows * weight, tally.confidence_sum * weight, tally.counts * weight)
    return total


def effective_sample(weighted_tallies: Iterable[tuple[float, RollupCounts]], empty: RollupCounts) -> RollupCounts:
    """Combine tallies, each with the sampling weight of its rows, into one sample for statistical tests.

    `n_rows` is the number of logged rows. Rows of a single weight count once each, because sampling adds no
    information. Otherwise shares are those of all predictions, and the counts add up to the effective sample size
    (Kish 1965).
    """
    by_weight: dict[float, RollupCounts] = {}
    for weight, tally in weighted_tallies:
        by_weight[weight] = by_weight[weight] + tally if weight in by_weight else tally
    rows = {weight: tally for weight, tally in by_weight.items() if tally.n_rows}
    if len(rows) <= 1:
        return sum(by_weight.values(), empty)
    n = np.array([tally.n_rows for tally in rows.values()], dtype=np.float64)
    scales = _kish_scales(np.array(list(rows)), n)
    counts = sum(scale * tally.counts for scale, tally in zip(scales, rows.values(), strict=True))
    return RollupCounts(int(n.sum()), sum(tally.confidence_sum for tally in rows.values()), np.asarray(counts))


def row_weights(rows: Sequence[LoggedRow]) -> NDArray[np.float64] | None:
    """Return for how many rows each row counts, as in `effective_sample`; None when all weights are equal."""
    weights = np.array([row.weight for row in rows], dtype=np.float64)
    if len(weights) == 0 or bool((weights == weights[0]).all()):
        return None
    return np.asarray(_kish_scales(weights, np.ones(len(weights))))


def thin_to_equal_weight(rows: Sequence[LoggedRow], *, seed: int) -> list[LoggedRow]:
    """Return a random subset of rows with equal weights: rows of smaller weight are sampled."""
    shares = row_weights(rows)
    if shares is None:
        return list(rows)
    is_sampled = np.random.default_rng(seed).random(len(rows)) < shares / shares.max()
    return [row for row, is_in in zip(rows, is_sampled.tolist(), strict=True) if is_in]


def _kish_scales(weights: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights * (weights * n).sum() / (weights**2 * n).sum())
