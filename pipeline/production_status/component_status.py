"""The status of production and of each of its components."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["ComponentName", "ComponentStatus", "HealthState", "ProductionStatus"]

HealthState = Literal["healthy", "unknown", "degraded", "down"]
ComponentName = Literal["database", "version", "api", "monitor", "alerts", "loop", "tracking"]

# From the best to the worst: what is unknown is worse than healthy.
_STATES: tuple[HealthState, ...] = ("healthy", "unknown", "degraded", "down")
_LABELS: dict[ComponentName, str] = {
    "database": "State database",
    "version": "Production version",
    "api": "API",
    "monitor": "Monitor",
    "alerts": "Open alerts",
    "loop": "Loop",
    "tracking": "MLflow",
}
_HEADLINES: dict[HealthState, str] = {
    "healthy": "Production is healthy",
    "unknown": "Production is not fully known",
    "degraded": "Production is degraded",
    "down": "Production is down",
}


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
    """

    name: ComponentName
    state: HealthState
    condition: str
    summary: str
    sentence: str
    next_step: str = ""

    @property
    def label(self) -> str:
        """Name of the component for people."""
        return _LABELS[self.name]

    @property
    def text(self) -> str:
        """The sentence and the next step."""
        return f"{self.sentence}. Next: {self.next_step}" if self.next_step else self.sentence


@dataclass(frozen=True, slots=True)
class ProductionStatus:
    """The status of production at `checked_at` (microseconds since 1970, UTC).

    Components that the caller cannot see are left out.
    """

    model: str
    checked_at: int
    components: tuple[ComponentStatus, ...]

    @property
    def state(self) -> HealthState:
        """The worst state of a component."""
        return max((component.state for component in self.components), key=_STATES.index)

    @property
    def headline(self) -> str:
        """One sentence: the state, and the components that cause it."""
        if self.state == "healthy":
            return _HEADLINES["healthy"]
        causes = ", ".join(component.label for component in self.components if component.state == self.state)
        return f"{_HEADLINES[self.state]}: {causes}"

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
            "headline": self.headline,
            "components": {component.name: asdict(component) for component in self.components},
        }
