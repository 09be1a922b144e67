"""Read from the state database what the status of production is assessed from; nothing is created or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.errors import Conflict, DatabaseDamaged, DatabaseMissing, IntegrityError, MlopsError, NotAllowed
from pipeline.production_status.gate_override import GateOverride, find_gate_override
from pipeline.project import paths
from pipeline.state.incidents import last_resolved_at
from pipeline.state.monitor_runs import read_monitor_moments
from pipeline.state.stream_reports import read_stream_facts
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.config.groups.monitoring_config import MonitoringConfig
    from pipeline.state import Incident, LoopFacts, ModelVersion, MonitorRun, State
    from pipeline.state.stream_reports import StreamFacts

__all__ = [
    "N_MONITOR_RUNS",
    "DatabaseCondition",
    "DatabaseFacts",
    "ModelFacts",
    "inspect_project_state",
    "inspect_state",
    "monitor_period_us",
]

_MINUTE_US = 60_000_000
_API_SOURCE = "api"
# More than a day of a run every five minutes; a longer series began before.
N_MONITOR_RUNS = 300

DatabaseCondition = Literal[
    "ok", "new", "without_versions", "missing", "damaged", "busy", "other_schema", "not_allowed", "unavailable"
]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the state database knows about a model; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    n_versions : int
    production : ModelVersion or None
    override : GateOverride or None
        If the version in Production did not pass its gates.
    monitor_run : MonitorRun or None
        The last run; None if the monitor never ran.
    incidents : tuple of Incident
        Those that are not resolved, newest first.
    last_prediction_at : int or None
        Of any source.
    api_seen_at : int or None
        The last moment at which an API of this model is known to have responded.
    loop : LoopFacts or None
        None without a database.
    deployed_at : int or None
        The last change of the version in Production.
    monitor_moments : tuple of int
        Moments of the last runs of the monitor, newest first.
    incident_resolved_at : int or None
        When the last incident was resolved.
    stream : StreamFacts or None
        What consumers of streams reported; None without a database.
    """

    n_versions: int
    production: ModelVersion | None
    override: GateOverride | None
    monitor_run: MonitorRun | None
    incidents: tuple[Incident, ...]
    last_prediction_at: int | None
    api_seen_at: int | None
    loop: LoopFacts | None = None
    deployed_at: int | None = None
    monitor_moments: tuple[int, ...] = ()
    incident_resolved_at: int | None = None
    stream: StreamFacts | None = None


_NOTHING_KNOWN = ModelFacts(0, None, None, None, (), None, None)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The condition of the state database, why, and what it knows about the model; None if it cannot be read.

    `register_step` is the next command if no version is registered.
    """

    condition: DatabaseCondition
    detail: str = ""
    model: ModelFacts | None = None
    register_step: str = field(default_factory=store.register_hint)


def monitor_period_us(config: MonitoringConfig) -> int:
    """Return the longest time between two runs of the monitor, in microseconds.

    It is `monitoring.interval_minutes`. If another program schedules single runs, it is the window: after a longer
    time, some predictions are in the window of no run.
    """
    minutes = config.interval_minutes or 60 * config.window_hours
    return int(minutes * _MINUTE_US)


def inspect_project_state(root: Path, model: str) -> DatabaseFacts:
    """Return the facts of the database of a project, without creating it."""
    try:
        if not store.state_exists(root):
            return DatabaseFacts("new", model=_NOTHING_KNOWN)
        state = store.connect_to_project(root)
    except MlopsError as error:
        return _facts_of_error(error)
    try:
        if state.file is not None and not state.file.path.exists():
            return DatabaseFacts("missing", f"{state.address}: the state database is missing")
        return inspect_state(state, model, n_packages=store.count_packages(root), checks_storage=True)
    finally:
        state.close()


def inspect_state(state: State, model: str, *, n_packages: int = 0, checks_storage: bool = False) -> DatabaseFacts:
    """Return the facts of an open database.

    Parameters
    ----------
    state : State
    model : str
    n_packages : int
        Number of packages that it should know.
    checks_storage : bool
        Whether to check that it can be written; not where a `StorageWatch` does.
    """
    try:
        revision = store.schema_revision(state)
        if revision.current is None:
            return DatabaseFacts("new", f"{state.address}: has no tables yet", _NOTHING_KNOWN)
        if not revision.is_current:
            return DatabaseFacts(
                "other_schema",
                f"{state.address}: the schema version is {revision.current}, this program needs {revision.head}",
            )
        if checks_storage:
            state.check_storage()
        with state.reading() as connection:
            is_empty = n_packages > 0 and not store.read_versions(connection)
            known = _read_model_facts(connection, model, at=state.clock())
        if is_empty:
            packages = f"{pluralize(n_packages, 'package')} in {paths.PACKAGES}"
            return DatabaseFacts(
                "without_versions", f"{state.address}: has no version, although there is {packages}", known
            )
        return DatabaseFacts("ok", _short_address(state), known)
    except MlopsError as error:
        return _facts_of_error(error)


def _short_address(state: State) -> str:
    """Return the file with its folder, which names no user or machine, or the address of a server."""
    return state.address if state.file is None else str(Path(state.file.path.parent.name, state.file.path.name))


def _facts_of_error(error: MlopsError) -> DatabaseFacts:
    conditions: tuple[tuple[type[MlopsError], DatabaseCondition], ...] = (
        (DatabaseMissing, "missing"),
        (DatabaseDamaged, "damaged"),
        (IntegrityError, "damaged"),
        (Conflict, "busy"),
        (NotAllowed, "not_allowed"),
    )
    for kind, condition in conditions:
        if isinstance(error, kind):
            return DatabaseFacts(condition, str(error))
    return DatabaseFacts("unavailable", str(error))


def _read_model_facts(connection: Any, model: str, *, at: int) -> ModelFacts:
    versions = store.read_versions(connection, model)
    production = next((version for version in versions if version.stage == "Production"), None)
    run = store.last_monitor_run(connection, model)
    override = None if production is None else find_gate_override(production, ())
    if production is not None and override is not None:  # only then the trail names who decided it
        override = find_gate_override(production, store.read_audit_entries(connection, model=model))
    freshness = store.read_freshness(connection, model, at=at)
    has_seen_api = run is not None and run.summary.get("server") is not None
    moments = (
        store.last_prediction_from(connection, model, _API_SOURCE, at=at),
        run.recorded_at if run is not None and has_seen_api else None,
    )
    return ModelFacts(
        n_versions=len(versions),
        production=production,
        override=override,
        monitor_run=run,
        incidents=tuple(store.read_incidents(connection, model)),
        last_prediction_at=freshness.last_prediction_at,
        api_seen_at=max((moment for moment in moments if moment is not None), default=None),
        loop=store.read_loop_facts(connection, model),
        deployed_at=freshness.deployed_at,
        monitor_moments=read_monitor_moments(connection, model, limit=N_MONITOR_RUNS),
        incident_resolved_at=last_resolved_at(connection, model),
        stream=read_stream_facts(connection, model),
    )
