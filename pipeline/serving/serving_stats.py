"""Counts of a worker since its start, for status and metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.serving.histogram import Histogram

if TYPE_CHECKING:
    from pipeline.serving.prediction_types import Variant

__all__ = ["ServingStats"]

_CONFIDENCE_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Seconds: a commit to a local disk takes milliseconds, one to a busy database server up to a second.
_COMMIT_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class ServingStats:
    """Counts since the start, for status and metrics.

    `by_class` has the predicted rows by variant and class. Rows of requests that asked not to be logged count in
    `n_opted_out` alone.
    """

    n_rows: int = 0
    n_logged: int = 0
    n_unlogged: int = 0
    n_opted_out: int = 0
    n_batches: int = 0
    n_failures: int = 0
    by_class: dict[Variant, Counter[str]] = field(
        default_factory=lambda: {"champion": Counter(), "challenger": Counter()}
    )
    confidences: Histogram = field(default_factory=lambda: Histogram(_CONFIDENCE_BOUNDS))
    commit_durations_s: Histogram = field(default_factory=lambda: Histogram(_COMMIT_BOUNDS_S))
    last_error: str | None = None

    def log_counts(self) -> dict[str, Any]:
        """Return the counts of the log, as plain values."""
        return {
            "last_error": self.last_error,
            "commit_duration_s": self.commit_durations_s.as_dict(),
            "n_logged": self.n_logged,
            "n_unlogged": self.n_unlogged,
            "n_opted_out": self.n_opted_out,
            "n_batches": self.n_batches,
            "n_failures": self.n_failures,
        }
