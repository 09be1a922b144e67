"""Facts about production, healthy unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.production_status import ApiFacts, DatabaseFacts, ModelFacts, ProductionFacts, TrackingFacts
from pipeline.state import Incident, ModelVersion, MonitorRun

__all__ = ["HOUR_US", "NOW", "facts", "incident", "known", "monitor_run", "ready_api", "version"]

HOUR_US = 3_600_000_000
NOW = 1_767_225_600_000_000


def version(number: int = 2, *, verdict: str | None = "promote", stage: str = "Production") -> ModelVersion:
    """Return a version whose two gates have one verdict; None: its gates were not evaluated."""
    result = "pass" if verdict == "promote" else "fail"
    gates = {"verdict": verdict, "gates": [{"name": "size", "result": result}, {"name": "champion", "result": result}]}
    return ModelVersion("m", number, "d" * 64, "1.0.0", stage, "", {} if verdict is None else {"gates": gates}, 0)


def monitor_run(hours_ago: float = 1, *, about: int | None = 2, has_seen_api: bool = False) -> MonitorRun:
    at = NOW - int(hours_ago * HOUR_US)
    server = {"n_responses": 1.0, "n_errors": 0.0} if has_seen_api else None
    return MonitorRun("m", about, at, at - 24 * HOUR_US, at, "stable", None, {"server": server})


def incident(severity: str = "critical") -> Incident:
    return Incident("quality", "m", ("drift",), severity, "2 of 9 features drifted", "", {}, NOW, NOW, seq=7)


def known(**changes: Any) -> ModelFacts:
    healthy = ModelFacts(2, version(), None, monitor_run(), (), NOW - 12_000_000, NOW - 12_000_000)
    return replace(healthy, **changes)


def ready_api(**changes: Any) -> ApiFacts:
    return replace(
        ApiFacts("ready", "http://a:1", is_declared=True, model="m", version=2, served_by="production"), **changes
    )


def facts(**changes: Any) -> ProductionFacts:
    healthy = ProductionFacts(
        "m",
        NOW,
        24 * HOUR_US,
        DatabaseFacts("ok", "sqlite:///state/state.db", known()),
        ready_api(),
        TrackingFacts("reachable", "http://mlflow"),
    )
    return replace(healthy, **changes)
