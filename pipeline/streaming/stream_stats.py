"""Counts and health of a consumer, for metrics and probes; written by its thread and read by any."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.serving.histogram import Histogram

__all__ = ["StreamStats"]

_BATCH_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class StreamStats:
    """Counts since the start of a consumer, and why it waits.

    Attributes
    ----------
    n_predicted, n_dead, n_replayed : int
        Events by result; a replayed event was logged before, and its result was sent again.
    n_batches, n_rebalances, n_fenced, n_refused_commits : int
        Batches, changes of the assignment, batches that were dropped because another consumer has the partition, and
        commits that the broker refused.
    n_partitions : int
        Claimed partitions.
    model_version : int or None
        The version that predicts; None while no model is loaded.
    hold_reason : str or None
        Why no event is read; None while events are read.
    oldest_event_ms : int or None
        Moment since 1970 of the oldest event of the last batch.
    batch_durations_s : Histogram
    """

    n_predicted: int = 0
    n_dead: int = 0
    n_replayed: int = 0
    n_batches: int = 0
    n_rebalances: int = 0
    n_fenced: int = 0
    n_refused_commits: int = 0
    n_partitions: int = 0
    model_version: int | None = None
    hold_reason: str | None = None
    oldest_event_ms: int | None = None
    batch_durations_s: Histogram = field(default_factory=lambda: Histogram(_BATCH_BOUNDS_S))

    @property
    def is_ready(self) -> bool:
        """Whether the consumer has partitions and reads them."""
        return self.hold_reason is None and self.n_partitions > 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        names = [name for name in self.__slots__ if name != "batch_durations_s"]
        return {**{name: getattr(self, name) for name in names}, "batch_durations_s": self.batch_durations_s.as_dict()}
