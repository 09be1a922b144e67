"""What was sent, answered, refused and told, by phase."""

from __future__ import annotations

import statistics
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.simulation.sending import Reply

__all__ = ["PhaseTally", "PhaseTotals", "Totals"]


@dataclass(frozen=True, slots=True)
class PhaseTotals:
    """One phase: moments are seconds since 1970, UTC; rows and outcomes are counted, requests by their status.

    `n_failed` requests got no answer at all. `latency_ms` is the median of answered requests, None without one.
    """

    name: str
    since: float
    until: float
    n_rows_sent: int
    n_rows_answered: int
    n_rows_refused: int
    n_rows_failed: int
    statuses: dict[str, int]
    latency_ms: float | None

    @property
    def rows_per_s(self) -> float:
        """Rows that were sent each second."""
        return self.n_rows_sent / max(self.until - self.since, 1e-9)

    @property
    def hours(self) -> float:
        """How long it took."""
        return (self.until - self.since) / 3600

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "name": self.name,
            "since": moment(self.since),
            "until": moment(self.until),
            "rows_per_s": round(self.rows_per_s, 1),
            "n_rows": {
                "sent": self.n_rows_sent,
                "answered": self.n_rows_answered,
                "refused": self.n_rows_refused,
                "failed": self.n_rows_failed,
            },
            "statuses": self.statuses,
            "latency_ms": None if self.latency_ms is None else round(self.latency_ms, 2),
        }


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything that a scenario sent; `n_untold` outcomes had no time left."""

    phases: tuple[PhaseTotals, ...]
    n_outcomes_told: int
    n_outcomes_refused: int
    n_outcomes_untold: int
    is_interrupted: bool

    @property
    def last(self) -> PhaseTotals | None:
        """The last phase in which rows were answered."""
        return next((one for one in reversed(self.phases) if one.n_rows_answered), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "phases": [one.as_dict() for one in self.phases],
            "outcomes": {
                "told": self.n_outcomes_told,
                "refused": self.n_outcomes_refused,
                "untold": self.n_outcomes_untold,
            },
            "is_interrupted": self.is_interrupted,
        }

    def lines(self) -> Iterator[str]:
        """Yield a table for a person."""
        width = max(12, *(len(one.name) for one in self.phases)) if self.phases else 12
        yield f"{'phase':{width}} {'rows sent':>10} {'answered':>10} {'refused':>9} {'failed':>8} {'rows/s':>8} {'median ms':>10}"
        for one in self.phases:
            latency = "" if one.latency_ms is None else f"{one.latency_ms:.1f}"
            yield (
                f"{one.name:{width}} {one.n_rows_sent:10,} {one.n_rows_answered:10,} {one.n_rows_refused:9,}"
                f" {one.n_rows_failed:8,} {one.rows_per_s:8,.0f} {latency:>10}"
            )
        untold = f", {self.n_outcomes_untold:,} had no time left" if self.n_outcomes_untold else ""
        refused = f", {self.n_outcomes_refused:,} refused" if self.n_outcomes_refused else ""
        yield f"outcomes: {self.n_outcomes_told:,} told{refused}{untold}"


@dataclass(slots=True)
class PhaseTally:
    """Counts while a phase runs, from many threads."""

    name: str
    since: float
    n_sent: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, n_rows: int, reply: Reply) -> None:
        """Count one request that ended."""
        kind = "failed" if reply.status is None else "answered" if reply.is_answer else "refused"
        with self._lock:
            self.n_sent += n_rows
            self.rows[kind] += n_rows
            self.statuses["none" if reply.status is None else str(reply.status)] += 1
            if reply.is_answer:
                self.seconds.append(reply.seconds)

    def totals(self, until: float) -> PhaseTotals:
        """Return what was counted."""
        return PhaseTotals(
            self.name,
            self.since,
            until,
            self.n_sent,
            self.rows["answered"],
            self.rows["refused"],
            self.rows["failed"],
            dict(sorted(self.statuses.items())),
            statistics.median(self.seconds) * 1000 if self.seconds else None,
        )


def moment(seconds: float) -> str:
    """Return a moment as ISO 8601 with Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
