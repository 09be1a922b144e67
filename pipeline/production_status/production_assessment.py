"""Assess the status of production from facts; the only place that decides what is healthy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from pipeline import state as store
from pipeline.production_status.component_status import ComponentStatus, ProductionStatus
from pipeline.production_status.log_assessment import UNKNOWN_LOG, assess_log
from pipeline.production_status.loop_assessment import assess_loop
from pipeline.production_status.monitor_assessment import assess_incidents, assess_monitor
from pipeline.production_status.stream_assessment import assess_stream
from pipeline.text import format_age, pluralize, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from pipeline.production_status.api_probe import ApiFacts
    from pipeline.production_status.component_status import HealthState
    from pipeline.production_status.log_assessment import LogFacts
    from pipeline.production_status.state_facts import DatabaseFacts, ModelFacts

__all__ = ["ProductionFacts", "TrackingFacts", "assess_production"]

_START_API = "run `mlops serve`"
_DATABASE_STATES: Mapping[str, tuple[HealthState, str, str]] = {
    "without_versions": (
        "degraded",
        "no versions",
        f"restore a backup ({store.BACKUP_GUIDE}) if versions were lost, otherwise run `mlops models register`",
    ),
    "missing": ("down", "missing", f"restore a backup ({store.BACKUP_GUIDE})"),
    "damaged": ("down", "damaged", f"restore a backup ({store.BACKUP_GUIDE})"),
    "busy": ("degraded", "busy", "wait for the other writer, then look again"),
    "other_schema": ("down", "other schema", "run `mlops state upgrade`, or use the newer program"),
    "not_allowed": ("unknown", "not allowed", "set MLOPS_STATE_URL to an account that may read it"),
    "unavailable": ("down", "unavailable", "check its address, its server and its permissions"),
}


@dataclass(frozen=True, slots=True)
class TrackingFacts:
    """Whether MLflow was reachable, at which address, and if not, why.

    `new` is a store without a run, `not_checked` one of a kind that only MLflow itself can open.
    """

    condition: Literal["reachable", "unreachable", "new", "not_checked"]
    address: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProductionFacts:
    """What was found at `checked_at` (microseconds since 1970, UTC); `tracking` is None where it was not asked."""

    model: str
    checked_at: int
    monitor_period_us: int
    database: DatabaseFacts
    api: ApiFacts
    tracking: TrackingFacts | None
    log: LogFacts = UNKNOWN_LOG

    @property
    def saw_api(self) -> bool:
        """Whether the API of the project responded."""
        return self.api.outcome in ("ready", "not_ready")

    def with_api_seen_at(self, at: int | None) -> ProductionFacts:
        """Return the facts with a moment at which the caller saw the API respond."""
        known = self.database.model
        if at is None or known is None or at <= (known.api_seen_at or 0):
            return self
        return replace(self, database=replace(self.database, model=replace(known, api_seen_at=at)))


def assess_production(facts: ProductionFacts, *, zone: tzinfo = UTC) -> ProductionStatus:
    """Return the status of each component; its sentences have moments in `zone`."""
    known = facts.database.model
    components = [
        _assess_database(facts.database),
        assess_log(facts.database, facts.log, facts.checked_at),
        _assess_version(facts.database, facts.model),
        _assess_api(facts, zone),
        assess_monitor(known, facts.checked_at, facts.monitor_period_us, zone=zone),
        assess_incidents(known, facts.checked_at, facts.monitor_period_us),
    ]
    optional = (assess_loop(known, facts.checked_at, zone=zone), assess_stream(known, facts.checked_at))
    components += [component for component in optional if component is not None]
    if facts.tracking is not None:
        components.append(_assess_tracking(facts.tracking))
    components = [_without_future(component, facts.checked_at) for component in components]
    return ProductionStatus(facts.model, facts.checked_at, tuple(components), zone)


def _without_future(component: ComponentStatus, now: int) -> ComponentStatus:
    """Return a component without a moment that is later than now, because a clock was ahead."""
    if component.since is None or component.since <= now:
        return component
    return replace(component, since=None, since_source="unknown")


def _assess_database(facts: DatabaseFacts) -> ComponentStatus:
    if facts.condition == "ok":
        return ComponentStatus(
            "database", "healthy", "ok", "ok", f"`{facts.detail}` can be read and written", clause="state database ok"
        )
    if facts.condition == "new":
        sentence = facts.detail or "It does not exist yet; the first registration creates it"
        return ComponentStatus("database", "unknown", "new", "new", sentence, facts.register_step, "state database new")
    state, summary, next_step = _DATABASE_STATES[facts.condition]
    # A message of the project ends with its own next step.
    sentence, _, own_step = facts.detail.partition("; ")
    return ComponentStatus(
        "database", state, facts.condition, summary, sentence, own_step or next_step, f"state database {summary}"
    )


def _assess_version(database: DatabaseFacts, model: str) -> ComponentStatus:
    known = database.model
    if known is None:
        return ComponentStatus("version", "unknown", "unknown", "unknown", "The state database cannot be read")
    if not known.n_versions:
        return ComponentStatus(
            "version",
            "unknown",
            "none_registered",
            "none",
            f"No version of {model} is registered",
            database.register_step,
            "no version registered",
        )
    if known.production is None:
        sentence = f"No version of {model} is in Production, {pluralize(known.n_versions, 'version')} registered"
        next_step = "promote one with `mlops promote VERSION`"
        clause = "no version in Production"
        return ComponentStatus("version", "down", "none_in_production", "none", sentence, next_step, clause)
    number = known.production.version
    if known.override is not None:
        next_step = "review its gates, then promote a version that passes them, or run `mlops rollback`"
        gates = "unevaluated" if known.override.n_failed is None else str(known.override.n_failed)
        clause = f"version {number} overrides {gates} {'gate' if gates == '1' else 'gates'}"
        summary, sentence = f"{number}, gates overridden", known.override.sentence
        forced = ComponentStatus("version", "degraded", "forced", summary, sentence, next_step, clause)
        return forced.known_since(known.deployed_at)
    sentence = f"Version {number} ({known.production.semver}) is in Production and passed its gates"
    passed = ComponentStatus("version", "healthy", "passed", str(number), sentence, clause=f"version {number}")
    return passed.known_since(known.deployed_at)


def _assess_api(facts: ProductionFacts, zone: tzinfo) -> ComponentStatus:
    api, known = facts.api, facts.database.model
    if api.outcome == "invalid":
        next_step = "correct the address"
        return ComponentStatus("api", "unknown", "invalid_address", "unknown", api.detail, next_step, "API unknown")
    if api.outcome == "foreign":
        sentence = f"`{api.address}` responds, but it is not this API ({api.detail})"
        next_step = _address_step(api, _START_API)
        down = ComponentStatus("api", "down", "foreign", "down", sentence, next_step, "API down")
        return down.known_since(None if known is None else known.api_seen_at, "last_seen")
    if api.outcome == "no_response":
        return _assess_silent_api(facts, zone)
    if api.outcome == "not_ready":
        sentence = f"{_place(api)} is not ready: {api.detail}"
        next_step = "read the log of the server, or `GET /v1/status`"
        return ComponentStatus("api", "down", "not_ready", "not ready", sentence, next_step, "API not ready")
    return _find_api_fault(facts) or ComponentStatus(
        "api",
        "healthy" if known is not None else "unknown",
        "ready",
        "healthy" if known is not None else "ready",
        f"{_place(api)} is ready, {_last_prediction(known, facts.checked_at)}",
        clause="API up",
    )


def _assess_silent_api(facts: ProductionFacts, zone: tzinfo) -> ComponentStatus:
    """Distinguish an API that is down from one that was never started."""
    api, known = facts.api, facts.database.model
    seen_at = None if known is None else known.api_seen_at
    if seen_at is None and not api.is_declared:
        sentence = f"No API responds at `{api.address}` (conf/serving), none has responded before"
        next_step = f"{_START_API}, or set MLOPS_SERVER_URL"
        clause = "API not configured"
        return ComponentStatus("api", "unknown", "not_configured", "not configured", sentence, next_step, clause)
    seen = "never seen before"
    if seen_at is not None:
        seen = f"last seen {timestamp(seen_at, zone)}, {format_age(seen_at, facts.checked_at)}"
    sentence = f"`{api.address}` does not respond ({api.detail}), {seen}"
    next_step = _address_step(api, _START_API)
    down = ComponentStatus("api", "down", "no_response", "down", sentence, next_step, "API down")
    return down.known_since(seen_at, "last_seen")


def _place(api: ApiFacts) -> str:
    """Return the address as code, which is copied whole and is no link; a server names itself without one."""
    return f"`{api.address}`" if api.address else "This server"


def _address_step(api: ApiFacts, step: str) -> str:
    return f"{step}, or correct its address" if api.is_declared else step


def _find_api_fault(facts: ProductionFacts) -> ComponentStatus | None:
    """Return the fault of an API that is ready and serves something else than what was decided; None without one."""
    api, known = facts.api, facts.database.model
    if api.model is not None and api.model != facts.model:
        sentence = f"{_place(api)} serves the model {api.model}, not {facts.model}"
        next_step, clause = _address_step(api, _START_API), "API serves another model"
        return ComponentStatus("api", "down", "other_model", "other model", sentence, next_step, clause)
    if api.served_by == "rule":
        sentence = f"Version {api.version} cannot be loaded; its rule baseline predicts instead"
        next_step = "run `mlops verify`, then read the log of the server"
        clause = "API predicts by the rule baseline"
        return ComponentStatus("api", "degraded", "rule_baseline", "rule baseline", sentence, next_step, clause)
    production = None if known is None else known.production
    if production is not None and api.version is not None and api.version != production.version:
        sentence = f"Version {api.version} serves, but version {production.version} is in Production"
        next_step = "wait for its next poll, then read the log of the server"
        clause = f"API serves version {api.version}"
        return ComponentStatus("api", "degraded", "other_version", "other version", sentence, next_step, clause)
    return None


def _last_prediction(known: ModelFacts | None, now: int) -> str:
    if known is None:
        return "when it predicted last is unknown"
    if known.last_prediction_at is None:
        return "no prediction is logged yet"
    return f"last prediction {format_age(known.last_prediction_at, now)}"


def _assess_tracking(facts: TrackingFacts) -> ComponentStatus:
    if facts.condition == "reachable":
        return ComponentStatus(
            "tracking", "healthy", "reachable", "reachable", f"`{facts.address}` responds", clause="MLflow up"
        )
    if facts.condition == "new":
        sentence, next_step = f"`{facts.address}`: no run is recorded yet", "run `make run`"
        return ComponentStatus("tracking", "unknown", "new", "no runs", sentence, next_step, "MLflow without runs")
    if facts.condition == "not_checked":
        sentence = f"`{facts.address}` is not checked: only MLflow can open it"
        return ComponentStatus(
            "tracking", "unknown", "not_checked", "not checked", sentence, clause="MLflow not checked"
        )
    sentence = f"MLflow cannot be reached ({facts.detail}); runs wait in state/outbox"
    next_step = "start or repair it, then run `mlops tracking sync`"
    clause = "MLflow unreachable"
    return ComponentStatus("tracking", "degraded", "unreachable", "unreachable", sentence, next_step, clause)
