"""Decide whether a challenger that gets requests must be stopped, by tests that may be looked at after each request.

Both tests are mixture likelihood ratios (Robbins, 1970): the ratio against the allowed rate, averaged over larger
rates, exceeds 1 / level with a chance of at most `level` over all looks together (Ville's inequality).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.text import pluralize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.lifecycle_config import CanaryConfig

__all__ = ["DURATION_BOUNDS_S", "GuardVerdict", "StopCause", "VariantCounts", "check_canary"]

StopCause = Literal["errors", "slowdown"]

# Upper bounds of the bins of durations: no caller notices a difference below the first one. Four bins double.
DURATION_BOUNDS_S = tuple(0.001 * 2 ** (step / 4) for step in range(57))
_N_BINS = len(DURATION_BOUNDS_S) + 1
_TAIL = 0.05  # the share of durations above the 95th percentile
_N_RATES = 64
_LEAST_CHANGE = 1.2  # the averaged rates differ from the allowed one by this factor at least
_MOST_DECREASE = 50.0


@dataclass(frozen=True, slots=True)
class VariantCounts:
    """What one variant did since the trial takes traffic.

    Attributes
    ----------
    n_requests : int
        Requests that were assigned to the variant, failed or not.
    n_errors : int
        Those of them in which it failed.
    n_predictions : int
        Rows that it predicted.
    durations : tuple of int
        Number of its scored batches by duration: up to each of `DURATION_BOUNDS_S`, and above all of them.
    duration_sum_s : float
        Sum of these durations.
    """

    n_requests: int = 0
    n_errors: int = 0
    n_predictions: int = 0
    durations: tuple[int, ...] = field(default=(0,) * _N_BINS)
    duration_sum_s: float = 0.0

    def __add__(self, other: VariantCounts) -> VariantCounts:
        """Return the counts of two servers together."""
        return VariantCounts(
            self.n_requests + other.n_requests,
            self.n_errors + other.n_errors,
            self.n_predictions + other.n_predictions,
            tuple(map(sum, zip(self.durations, other.durations, strict=True))),
            self.duration_sum_s + other.duration_sum_s,
        )


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """Whether the challenger must be stopped (`cause` is None if not), and the finding in one sentence."""

    cause: StopCause | None = None
    summary: str = ""

    @property
    def must_stop(self) -> bool:
        """Whether the challenger must be stopped."""
        return self.cause is not None


def check_canary(champion: VariantCounts, challenger: VariantCounts, config: CanaryConfig) -> GuardVerdict:
    """Return whether the challenger fails or slows down significantly more than `config` allows.

    Each of the two tests stops a sound challenger with a chance of at most half of `config.false_stop_rate`, however
    often it is looked at. The tests assume that requests fail, and batches take long, independently of each other.

    Parameters
    ----------
    champion, challenger : VariantCounts
        Of all servers together, or of one.
    config : CanaryConfig
        The section `canary` that the trial was opened with.
    """
    level = config.false_stop_rate / 2
    n, n_errors, allowed = challenger.n_requests, challenger.n_errors, config.max_error_rate
    if n_errors and _exceeds(n_errors, n, allowed, level=level):
        counted = f"{n_errors} of {pluralize(n, 'request')}"
        return GuardVerdict("errors", f"the challenger failed in {counted}, significantly above {allowed:.2%}")
    return _check_durations(champion, challenger, config.max_slowdown, level=level)


def _check_durations(
    champion: VariantCounts, challenger: VariantCounts, max_slowdown: float, *, level: float
) -> GuardVerdict:
    """Test whether more than 5 % of the challenger's batches take longer than the allowed multiple of the champion's.

    The champion's 95th percentile is replaced by its upper confidence bound, with half of the level.
    """
    bound = _percentile_bound(champion.durations, level=level / 2)
    if bound is None:
        return GuardVerdict()
    limit_s = max_slowdown * bound
    limit_at = bisect_left(DURATION_BOUNDS_S, limit_s * (1 - 1e-9))
    n, n_slow = sum(challenger.durations), sum(challenger.durations[limit_at + 1 :])
    if n_slow and _exceeds(n_slow, n, _TAIL, level=level / 2):
        limit = f"{1000 * DURATION_BOUNDS_S[min(limit_at, _N_BINS - 2)]:.3g} ms"
        counted = f"{n_slow} of {n} batches of the challenger"
        summary = f"{counted} took longer than {limit}, {max_slowdown:g} times the 95th percentile of the champion"
        return GuardVerdict("slowdown", summary)
    return GuardVerdict()


def _percentile_bound(durations: tuple[int, ...], *, level: float) -> float | None:
    """Return the smallest bin bound that lies above the 95th percentile with confidence; None with too few batches."""
    n = sum(durations)
    n_above = n - np.cumsum(durations)[:-1]
    rates = np.geomspace(_TAIL / _MOST_DECREASE, _TAIL / _LEAST_CHANGE, _N_RATES)
    is_above = _log_evidence(n_above, n, _TAIL, rates) >= math.log(1 / level)
    return DURATION_BOUNDS_S[int(np.argmax(is_above))] if is_above.any() else None


def _exceeds(n_hits: int, n: int, rate: float, *, level: float) -> bool:
    """Whether `n_hits` of `n` significantly exceed a rate, at any look."""
    if n_hits <= rate * n:
        return False
    rates = np.geomspace(min(_LEAST_CHANGE * rate, (1 + rate) / 2), 1.0, _N_RATES, endpoint=False)
    return bool(_log_evidence(np.array([n_hits]), n, rate, rates)[0] >= math.log(1 / level))


def _log_evidence(n_hits: NDArray[np.int64], n: int, rate: float, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the likelihood ratio of `rates` (averaged) against `rate`, for each number of hits."""
    hits = n_hits[:, None]
    ratios = hits * np.log(rates / rate) + (n - hits) * np.log((1 - rates) / (1 - rate))
    largest = ratios.max(axis=1)
    evidence: NDArray[np.float64] = largest + np.log(np.exp(ratios - largest[:, None]).mean(axis=1))
    return evidence
