"""Count what champion and challenger do in this server, and stop the challenger at once when the guard demands it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.metrics.canary_guard import DURATION_BOUNDS_S, VariantCounts, check_canary
from pipeline.serving.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.lifecycle_config import CanaryConfig
    from pipeline.serving.prediction_types import Variant

__all__ = ["CanaryTraffic"]


@dataclass(slots=True)
class _Counter:
    n_requests: int = 0
    n_errors: int = 0
    n_predictions: int = 0
    durations_s: Histogram = field(default_factory=lambda: Histogram(DURATION_BOUNDS_S))

    def counts(self) -> VariantCounts:
        return VariantCounts(
            self.n_requests, self.n_errors, self.n_predictions, tuple(self.durations_s.counts), self.durations_s.total
        )


class CanaryTraffic:
    """The counts of one trial in this server; the event loop and the worker's thread write them.

    Parameters
    ----------
    config : CanaryConfig
        The section `canary` that the trial was opened with.

    Attributes
    ----------
    stop_reason : str or None
        Why the challenger gets no requests any more; None while it does. It never changes back.
    """

    def __init__(self, config: CanaryConfig) -> None:
        self.stop_reason: str | None = None
        self._config = config
        self._own: dict[Variant, _Counter] = {"champion": _Counter(), "challenger": _Counter()}
        self._others: dict[Variant, VariantCounts] = {"champion": VariantCounts(), "challenger": VariantCounts()}
        self._lock = threading.Lock()

    def observe(self, variant: Variant, *, n_requests: int, n_predictions: int, duration_s: float) -> None:
        """Count a batch that a variant scored."""
        with self._lock:
            counter = self._own[variant]
            counter.n_requests += n_requests
            counter.n_predictions += n_predictions
            counter.durations_s.observe(duration_s)
        if variant == "challenger" and duration_s > DURATION_BOUNDS_S[0]:
            self._check()

    def observe_error(self) -> None:
        """Count a request in which the challenger failed; the champion predicts it."""
        with self._lock:
            counter = self._own["challenger"]
            counter.n_requests += 1
            counter.n_errors += 1
        self._check()

    def merge_others(self, counts: Mapping[Variant, VariantCounts]) -> None:
        """Replace what is known about all other servers."""
        with self._lock:
            self._others.update(counts)
        self._check()

    def stop(self, reason: str) -> None:
        """Give the challenger no more requests; the first reason remains."""
        with self._lock:
            if self.stop_reason is None:
                self.stop_reason = reason

    def own(self) -> dict[Variant, VariantCounts]:
        """Return the counts of this server."""
        with self._lock:
            return {variant: counter.counts() for variant, counter in self._own.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the counts of this server as plain values, for status and metrics."""
        return {
            variant: {
                "n_requests": counter.n_requests,
                "n_errors": counter.n_errors,
                "n_predictions": counter.n_predictions,
                "duration_s": counter.durations_s.as_dict(),
            }
            for variant, counter in self._own.items()
        }

    def _check(self) -> None:
        own = self.own()
        with self._lock:
            pooled = {variant: counts + self._others[variant] for variant, counts in own.items()}
        verdict = check_canary(pooled["champion"], pooled["challenger"], self._config)
        if verdict.must_stop:
            self.stop(verdict.summary)
