"""Remember since when a process observes each component in its condition, where no record has the moment."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.production_status.component_status import ComponentStatus, ProductionStatus

__all__ = ["StatusObservations"]


class StatusObservations:
    """The first observation of each component in its present condition; threads may share it."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()

    def add(self, status: ProductionStatus) -> ProductionStatus:
        """Return a status whose components have a moment; a condition may be older than its first observation."""
        components = tuple(self.add_component(component, status.checked_at) for component in status.components)
        return replace(status, components=components)

    def add_component(self, component: ComponentStatus, at: int) -> ComponentStatus:
        """Return a component with the moment of its first observation, unless a record has an earlier one."""
        with self._lock:
            condition, first_at = self._first.get(component.name, ("", at))
            if condition != component.condition or at < first_at:
                first_at = at
            self._first[component.name] = (component.condition, first_at)
        return component if component.since is not None else component.known_since(first_at, "observed")
