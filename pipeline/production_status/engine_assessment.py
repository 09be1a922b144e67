"""Assess the engine inside the app, which only makes the predictions of the app's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.production_status.component_status import ComponentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["assess_engine"]


def assess_engine(status: Mapping[str, Any] | None, now: int) -> ComponentStatus:
    """Return the state of the engine in the app; it is no part of production.

    Parameters
    ----------
    status : mapping or None
        `Engine.status`; None before the engine starts.
    now : int
        In microseconds since 1970, UTC.
    """
    if status is None:
        sentence = "It starts with the first prediction on the page Predict"
        return ComponentStatus("engine", "unknown", "not_started", "not started", sentence)
    started_at = now - int(status["uptime_s"] * 1_000_000)
    if not status["is_ready"]:
        sentence = f"It cannot predict: {status['reason']}"
        return ComponentStatus("engine", "degraded", "not_ready", "not ready", sentence, "read the log of the app")
    active = status["active"]
    sentence = f"It predicts with version {active['version']} on the page Predict"
    ready = ComponentStatus("engine", "healthy", "ready", f"version {active['version']}", sentence)
    return ready.known_since(started_at)
