"""What was sent, answered, refused and told, by phase."""

from __future__ import annotations

import statistics
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.simulation.server_client import ClientResponse

__all__ = ["PhaseCounter", "PhaseResult", "SimulationResult"]


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase: moments are seconds since 1970, UTC; rows and outcomes are counted, requests by their status.

    `n_failed` requests got no answer at all. `latency_ms` is the median of answered requests, None without one.
    """

    name: str
    started_at: float
    ended_at: float
    n_rows_sent: int
    n_rows_succeeded: int
    n_rows_refused: int
    n_rows_failed: int
    statuses: dict[str, int]
    median_latency_ms: float | None

    @property
    def rows_per_s(self) -> float:
        """Rows that were sent each second."""
        return self.n_rows_sent / max(self.ended_at - self.started_at, 1e-9)

    @property
    def duration_hours(self) -> float:
        """How long it took."""
        return (self.ended_at - self.started_at) / 3600

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "name": self.name,
            "since": _iso_timestamp(self.started_at),
            "until": _iso_timestamp(self.ended_at),
            "rows_per_s": round(self.rows_per_s, 1),
            "n_rows": {
                "sent": self.n_rows_sent,
                "answered": self.n_rows_succeeded,
                "refused": self.n_rows_refused,
                "failed": self.n_rows_failed,
            },
            "statuses": self.statuses,
            "latency_ms": None if self.median_latency_ms is None else round(self.median_latency_ms, 2),
        }


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """Everything that a scenario sent; `n_untold` outcomes had no time left."""

    phases: tuple[PhaseResult, ...]
    n_outcomes_sent: int
    n_outcomes_refused: int
    n_outcomes_unsent: int
    is_interrupted: bool

    @property
    def last_phase(self) -> PhaseResult | None:
        """The last phase in which rows were answered."""
        return next((one for one in reversed(self.phases) if one.n_rows_succeeded), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "phases": [one.as_dict() for one in self.phases],
            "outcomes": {
                "told": self.n_outcomes_sent,
                "refused": self.n_outcomes_refused,
                "untold": self.n_outcomes_unsent,
            },
            "is_interrupted": self.is_interrupted,
        }

    def text_lines(self) -> Iterator[str]:
        """Yield a table for a person."""
        width = max(12, *(len(one.name) for one in self.phases)) if self.phases else 12
        yield f"{'phase':{width}} {'rows sent':>10} {'answered':>10} {'refused':>9} {'failed':>8} {'rows/s':>8} {'median ms':>10}"
        for one in self.phases:
            latency = "" if one.median_latency_ms is None else f"{one.median_latency_ms:.1f}"
            yield (
                f"{one.name:{width}} {one.n_rows_sent:10,} {one.n_rows_succeeded:10,} {one.n_rows_refused:9,}"
                f" {one.n_rows_failed:8,} {one.rows_per_s:8,.0f} {latency:>10}"
            )
        untold = f", {self.n_outcomes_unsent:,} had no time left" if self.n_outcomes_unsent else ""
        refused = f", {self.n_outcomes_refused:,} refused" if self.n_outcomes_refused else ""
        yield f"outcomes: {self.n_outcomes_sent:,} told{refused}{untold}"


@dataclass(slots=True)
class PhaseCounter:
    """Counts while a phase runs, from many threads."""

    name: str
    started_at: float
    n_rows_sent: int = 0
    n_rows_by_result: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_response(self, n_rows: int, response: ClientResponse) -> None:
        """Count one request that ended."""
        kind = "failed" if response.status is None else "answered" if response.is_success else "refused"
        with self._lock:
            self.n_rows_sent += n_rows
            self.n_rows_by_result[kind] += n_rows
            self.statuses["none" if response.status is None else str(response.status)] += 1
            if response.is_success:
                self.latencies_s.append(response.elapsed_s)

    def to_result(self, ended_at: float) -> PhaseResult:
        """Return what was counted."""
        return PhaseResult(
            self.name,
            self.started_at,
            ended_at,
            self.n_rows_sent,
            self.n_rows_by_result["answered"],
            self.n_rows_by_result["refused"],
            self.n_rows_by_result["failed"],
            dict(sorted(self.statuses.items())),
            statistics.median(self.latencies_s) * 1000 if self.latencies_s else None,
        )


def _iso_timestamp(at_s: float) -> str:
    return iso_timestamp(round(at_s * 1_000_000), "milliseconds")
