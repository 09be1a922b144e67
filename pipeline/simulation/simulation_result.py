"""Results of a simulation by phase: rows, responses and outcomes."""

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
    """Result of one phase; moments are seconds since 1970, UTC.

    `statuses` counts requests by HTTP status. `n_rows_failed` are rows of requests without a response.
    `median_latency_ms` is that of successful requests, None without one.
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
        """Sent rows per second."""
        return self.n_rows_sent / max(self.ended_at - self.started_at, 1e-9)

    @property
    def duration_hours(self) -> float:
        """Duration of the phase."""
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
                "succeeded": self.n_rows_succeeded,
                "refused": self.n_rows_refused,
                "failed": self.n_rows_failed,
            },
            "statuses": self.statuses,
            "latency_ms": None if self.median_latency_ms is None else round(self.median_latency_ms, 2),
        }


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """Result of a scenario; `n_outcomes_unsent` were pending when it ended."""

    phases: tuple[PhaseResult, ...]
    n_outcomes_sent: int
    n_outcomes_refused: int
    n_outcomes_unsent: int
    is_interrupted: bool

    @property
    def last_phase(self) -> PhaseResult | None:
        """The last phase with successful requests."""
        return next((phase for phase in reversed(self.phases) if phase.n_rows_succeeded), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "phases": [phase.as_dict() for phase in self.phases],
            "outcomes": {
                "sent": self.n_outcomes_sent,
                "refused": self.n_outcomes_refused,
                "unsent": self.n_outcomes_unsent,
            },
            "is_interrupted": self.is_interrupted,
        }

    def text_lines(self) -> Iterator[str]:
        """Yield a text table."""
        width = max(12, *(len(phase.name) for phase in self.phases)) if self.phases else 12
        yield (
            f"{'phase':{width}} {'rows sent':>10} {'succeeded':>10} {'refused':>9} {'failed':>8} {'rows/s':>8}"
            f" {'median ms':>10}"
        )
        for phase in self.phases:
            latency = "" if phase.median_latency_ms is None else f"{phase.median_latency_ms:.1f}"
            yield (
                f"{phase.name:{width}} {phase.n_rows_sent:10,} {phase.n_rows_succeeded:10,} {phase.n_rows_refused:9,}"
                f" {phase.n_rows_failed:8,} {phase.rows_per_s:8,.0f} {latency:>10}"
            )
        unsent = f", {self.n_outcomes_unsent:,} not sent" if self.n_outcomes_unsent else ""
        refused = f", {self.n_outcomes_refused:,} refused" if self.n_outcomes_refused else ""
        yield f"outcomes: {self.n_outcomes_sent:,} sent{refused}{unsent}"


@dataclass(slots=True)
class PhaseCounter:
    """Thread-safe counts of a running phase."""

    name: str
    started_at: float
    n_rows_sent: int = 0
    n_rows_by_result: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_response(self, n_rows: int, response: ClientResponse) -> None:
        """Count one finished request."""
        kind = "failed" if response.status is None else "succeeded" if response.is_success else "refused"
        with self._lock:
            self.n_rows_sent += n_rows
            self.n_rows_by_result[kind] += n_rows
            self.statuses["none" if response.status is None else str(response.status)] += 1
            if response.is_success:
                self.latencies_s.append(response.elapsed_s)

    def to_result(self, ended_at: float) -> PhaseResult:
        """Return the counts as a result."""
        return PhaseResult(
            name=self.name,
            started_at=self.started_at,
            ended_at=ended_at,
            n_rows_sent=self.n_rows_sent,
            n_rows_succeeded=self.n_rows_by_result["succeeded"],
            n_rows_refused=self.n_rows_by_result["refused"],
            n_rows_failed=self.n_rows_by_result["failed"],
            statuses=dict(sorted(self.statuses.items())),
            median_latency_ms=statistics.median(self.latencies_s) * 1000 if self.latencies_s else None,
        )


def _iso_timestamp(at_s: float) -> str:
    return iso_timestamp(round(at_s * 1_000_000), "milliseconds")
