"""Bring rows together that stand for different numbers of answers, because the log kept another share of them."""

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
    """Return what tallies of rows, each with the weight of its rows, say of all answers, kept in the log or not."""
    found = empty
    for weight, tally in weighted_tallies:
        found += (
            tally
            if weight == 1.0
            else RollupCounts(tally.n_rows * weight, tally.confidence_sum * weight, tally.counts * weight)
        )
    return found


def effective_sample(weighted_tallies: Iterable[tuple[float, RollupCounts]], empty: RollupCounts) -> RollupCounts:
    """Return tallies of rows, each with the weight of its rows, as one sample that tests can go by.

    `n_rows` is the number of rows. Rows of one weight count as one each, whatever it is: nobody knows more for
    having kept fewer. Otherwise shares are those of all answers, and counts add up to as many rows of one weight
    as would tell as much (Kish 1965).
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
    return RollupCounts(int(n.sum()), sum(one.confidence_sum for one in rows.values()), np.asarray(counts))


def row_weights(rows: Sequence[LoggedRow]) -> NDArray[np.float64] | None:
    """Return for how many rows each row counts, as in `pooled`; None where all weigh the same."""
    weights = np.array([row.weight for row in rows], dtype=np.float64)
    if len(weights) == 0 or bool((weights == weights[0]).all()):
        return None
    return np.asarray(_kish_scales(weights, np.ones(len(weights))))


def thin_to_equal_weight(rows: Sequence[LoggedRow], *, seed: int) -> list[LoggedRow]:
    """Return rows that all stand for as many answers: those of smaller weight are thinned out by chance."""
    shares = row_weights(rows)
    if shares is None:
        return list(rows)
    is_kept = np.random.default_rng(seed).random(len(rows)) < shares / shares.max()
    return [row for row, kept in zip(rows, is_kept.tolist(), strict=True) if kept]


def _kish_scales(weights: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights * (weights * n).sum() / (weights**2 * n).sum())
