"""The status of production and of each of its components."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

from pipeline.text import short_timestamp

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["HEALTH_STATES", "ComponentName", "ComponentStatus", "HealthState", "ProductionStatus", "SinceSource"]

HealthState = Literal["healthy", "unknown", "degraded", "down"]
ComponentName = Literal[
    "database", "log", "version", "api", "monitor", "incidents", "loop", "stream", "tracking", "engine"
]
# How the moment is known from which on a component is in its state.
SinceSource = Literal["recorded", "last_seen", "observed", "unknown"]

# From the best to the worst: what is unknown is worse than healthy.
HEALTH_STATES: tuple[HealthState, ...] = ("healthy", "unknown", "degraded", "down")
_LABELS: dict[ComponentName, str] = {
    "database": "State database",
    "log": "Prediction log",
    "version": "Production version",
    "api": "API",
    "monitor": "Monitor",
    "incidents": "Open incidents",
    "loop": "Loop",
    "stream": "Streams",
    "tracking": "MLflow",
    "engine": "Engine in the app",
}
_HEADLINES: dict[HealthState, str] = {
    "healthy": "Production is healthy",
    "unknown": "Production is not fully known",
    "degraded": "Production is degraded",
    "down": "Production is down",
}
_SINCE_WORDS: dict[SinceSource, str] = {"recorded": "since", "last_seen": "last seen", "observed": "since at least"}
# The sentence always names these components: one makes predictions, the other monitors them.
_ALWAYS_NAMED: tuple[ComponentName, ...] = ("api", "monitor")


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """The status of one component.

    Attributes
    ----------
    name : str
    state : HealthState
    condition : str
        The condition, as a word for programs, such as `never_ran`.
    summary : str
        The condition in one to three words.
    sentence : str
        The condition with its values.
    next_step : str
        What to do about it; empty if there is nothing to do.
    clause : str
        The condition as a part of the sentence about production; empty if another component names it already.
    since : int or None
        The moment from which on it is in this condition, in microseconds since 1970, UTC.
    since_source : SinceSource
        `recorded` in the database; `last_seen` in another condition; `observed` first by this process, so perhaps
        earlier; `unknown`.
    """

    name: ComponentName
    state: HealthState
    condition: str
    summary: str
    sentence: str
    next_step: str = ""
    clause: str = ""
    since: int | None = None
    since_source: SinceSource = "unknown"

    @property
    def label(self) -> str:
        """Name of the component for people."""
        return _LABELS[self.name]

    @property
    def text(self) -> str:
        """The sentence and the next step."""
        return f"{self.sentence}. Next: {self.next_step}" if self.next_step else self.sentence

    def known_since(self, at: int | None, source: SinceSource = "recorded") -> ComponentStatus:
        """Return the same status with the moment from which on it holds; None leaves it unknown."""
        return self if at is None else replace(self, since=at, since_source=source)

    def since_text(self, now: int, zone: tzinfo = UTC) -> str:
        """Return since when, such as `since 27 Nov 18:00 UTC`; empty if it is unknown."""
        if self.since is None:
            return ""
        return f"{_SINCE_WORDS[self.since_source]} {short_timestamp(self.since, zone, now=now)}"


@dataclass(frozen=True, slots=True)
class ProductionStatus:
    """The status of production at `checked_at` (microseconds since 1970, UTC).

    Components that the caller cannot see are left out. Sentences have moments in `zone`.
    """

    model: str
    checked_at: int
    components: tuple[ComponentStatus, ...]
    zone: tzinfo = UTC

    @property
    def state(self) -> HealthState:
        """The worst state of a component."""
        return max((component.state for component in self.components), key=HEALTH_STATES.index)

    @property
    def since(self) -> int | None:
        """The earliest recorded moment of a component in the worst state; None if it is unknown, or all is healthy.

        A component that was last seen at a moment may have failed at any time after it.
        """
        if self.state == "healthy":
            return None
        moments = [part.since for part in self._causes() if part.since_source == "recorded"]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def sentence(self) -> str:
        """The state, since when, its causes, and whether API and monitor work; equal facts give equal words.

        What only one process observed is left out.
        """
        causes = self._causes()
        others = [part for part in self.components if part not in causes and part.state == "degraded"]
        named = [part for part in self.components if part not in (*causes, *others) and part.name in _ALWAYS_NAMED]
        since = "" if self.since is None else f" since {short_timestamp(self.since, self.zone, now=self.checked_at)}"
        head = f"{_HEADLINES[self.state]}{since}"
        because = _join_clauses(causes, "; ", seen_in=(self.checked_at, self.zone))
        parts = [f"{head}: {because}" if because else head, _join_clauses(others, "; "), _join_clauses(named, ", ")]
        return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts if part)

    @property
    def title(self) -> str:
        """The state in one or two words, for a browser's title."""
        return {"healthy": "OK", "unknown": "? Not fully known", "degraded": "! Degraded", "down": "!! Down"}[
            self.state
        ]

    def _causes(self) -> list[ComponentStatus]:
        if self.state == "healthy":
            return []
        return [component for component in self.components if component.state == self.state]

    def component(self, name: ComponentName) -> ComponentStatus:
        """Return one component; KeyError if it was left out."""
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model": self.model,
            "checked_at": self.checked_at,
            "state": self.state,
            "sentence": self.sentence,
            "since": self.since,
            "components": {component.name: asdict(component) for component in self.components},
        }


def _join_clauses(
    components: list[ComponentStatus], separator: str, *, seen_in: tuple[int, tzinfo] | None = None
) -> str:
    """Join the clauses of components; `seen_in` is the moment and the zone of those that name when they were seen."""
    return separator.join(
        f"{component.clause}, {component.since_text(*seen_in)}"
        if seen_in is not None and component.since_source == "last_seen"
        else component.clause
        for component in components
        if component.clause
    )
