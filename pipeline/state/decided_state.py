"""Compare the deciding tables (deployments, versions, trials, retrains and others) with the audit trail."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select, text

from pipeline.errors import IntegrityError
from pipeline.state.audit_trail import AuditEntry, read_audit_entries
from pipeline.state.incidents import MONITOR_ACTOR
from pipeline.state.stored_json import UnreadableRow, parse_stored_object
from pipeline.state.tables import METADATA, alert_silences, api_keys, deployments, incidents, models, retrains, trials
from pipeline.state.versions import read_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

__all__ = [
    "DecidedModel",
    "UndecidedChange",
    "find_undecided_changes",
    "find_undecided_deployments",
    "find_undecided_trials",
    "replay_decisions",
    "undecided_deployment_error",
]

_KEY_ACTIONS = ("create key", "revoke key")
_INCIDENT_ACTIONS = {"acknowledge alert": "acknowledged", "resolve alert": "resolved"}
_SILENCE_ACTIONS = ("silence alerts", "end silence")
# Name of each trigger -> what its definition contains.
_SQLITE_GUARDS = {
    f"audit_{event}": f"BEFORE {event} ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    for event in ("UPDATE", "DELETE")
}
_POSTGRESQL_GUARDS = {"audit_change": "O RAISE EXCEPTION 'the audit trail is append-only'"}
_SQLITE_TRIGGERS = "SELECT name, sql AS definition FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL_TRIGGERS = """
SELECT t.tgname AS name, CASE WHEN t.tgqual IS NULL THEN t.tgenabled::text ELSE '' END
    || replace(replace(p.prosrc, 'BEGIN', ''), 'END', '') AS definition
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND n.nspname = current_schema()
"""
_TRIAL_COLUMNS = tuple(column.name for column in trials.columns if column.name not in ("seq", "evidence"))
_RETRAIN_COLUMNS = tuple(column.name for column in retrains.columns if column.name not in ("seq", "facts"))
_DEPLOYMENT_COLUMNS = ("version", "digest", "generation", "deployed_at")


@dataclass(frozen=True, slots=True)
class UndecidedChange:
    """A row that differs from the last decision about it: table, row, and both values in words.

    `is_restorable`: whether the audit trail holds all that the row should be.
    """

    table: str
    row: str
    difference: str
    is_restorable: bool = False

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.difference}"


@dataclass(slots=True)
class DecidedModel:
    """What the audit trail holds about one model: generation, deployments by stage, versions by number."""

    generation: int = 0
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)

    def follow(self, entry: AuditEntry) -> None:
        """Apply one entry."""
        if entry.action == "register" and entry.version is not None:
            registered = {"digest": entry.after["digest"], "semver": entry.after["semver"], "gates": entry.evidence}
            self.versions[entry.version] = {**registered, "registered_at": entry.recorded_at, "stage": "None"}
        if entry.generation is not None:
            self._follow_deployment(entry, entry.generation)

    def _follow_deployment(self, entry: AuditEntry, generation: int) -> None:
        self.generation = generation
        for stage in [stage for stage in self.deployments if stage not in entry.after]:
            del self.deployments[stage]
        for deployed in entry.before.values():
            self._set_stage(deployed["version"], "Archived")
        for stage, deployed in entry.after.items():
            self._set_stage(deployed["version"], stage)
            if stage in ("Staging", "Production") and deployed["version"] == entry.version:
                decision = {"generation": generation, "deployed_at": entry.recorded_at}
                self.deployments[stage] = {**deployed, **decision}

    def _set_stage(self, version: int, stage: str) -> None:
        if version in self.versions:
            self.versions[version]["stage"] = stage


def find_undecided_changes(connection: Connection) -> list[UndecidedChange]:
    """Return every row of a deciding table, each trigger and each view that does not follow from the audit trail.

    A row that cannot be read ends the comparison, and is the last one of the list.
    """
    found = [*_compare_guards(connection), *_find_views(connection)]
    try:
        found += _compare_tables(connection)
    except UnreadableRow as error:
        found.append(UndecidedChange(error.table, error.row, error.difference))
    return found


def _compare_tables(connection: Connection) -> list[UndecidedChange]:
    entries = read_audit_entries(connection)
    return [
        *_compare_models(connection, _decided_models(entries)),
        *_compare_rows("api_keys", _stored_keys(connection), _last_values(entries, _KEY_ACTIONS, key="id")),
        *_compare_rows("trials", _stored_trials(connection), _decided_trials(entries)),
        *_compare_rows("retrains", _stored_retrains(connection), _decided_retrains(entries)),
        *_compare_rows("alert_silences", _stored_silences(connection), _last_values(entries, _SILENCE_ACTIONS)),
        *_compare_incidents(connection, entries),
    ]


def find_undecided_deployments(connection: Connection, model: str) -> list[UndecidedChange]:
    """Return the deployments, the generation and the versions of one model that do not follow from the audit trail."""
    return list(_compare_models(connection, {model: replay_decisions(connection, model)}, model=model))


def find_undecided_trials(connection: Connection, model: str) -> list[UndecidedChange]:
    """Return the trials of one model that do not follow from the audit trail."""
    decided = _decided_trials(read_audit_entries(connection, model=model))
    stored = {seq: row for seq, row in _stored_trials(connection).items() if row["model"] == model}
    return list(_compare_rows("trials", stored, decided))


def undecided_deployment_error(model: str, changes: Sequence[UndecidedChange]) -> IntegrityError:
    """Return the error of a deployment with these changes, which names what restores it."""
    is_restorable = any(change.is_restorable for change in changes)
    remedy = (
        "`mlops doctor` restores the decided deployment" if is_restorable else "restore a backup of the state database"
    )
    return IntegrityError(
        f"the deployment of {model} does not follow from the audit trail: {'; '.join(map(str, changes))}; {remedy}"
    )


def replay_decisions(connection: Connection, model: str) -> DecidedModel:
    """Return what the audit trail holds about one model."""
    return _decided_models(read_audit_entries(connection, model=model)).get(model, DecidedModel())


@contextmanager
def _naming_malformed(entry: AuditEntry) -> Iterator[None]:
    """Name an entry whose values are not those that a decision has."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRow("audit", str(entry.seq), f"its values are not those of {entry.action!r}") from error


def _compare_guards(connection: Connection) -> Iterator[UndecidedChange]:
    """Compare the triggers of the database: those that refuse changes of the trail, and no other."""
    is_file = connection.dialect.name == "sqlite"
    expected, query = (_SQLITE_GUARDS, _SQLITE_TRIGGERS) if is_file else (_POSTGRESQL_GUARDS, _POSTGRESQL_TRIGGERS)
    stored = {row.name: " ".join(row.definition.split()) for row in connection.execute(text(query))}
    for name in sorted(expected.keys() | stored.keys()):
        if name not in stored:
            yield UndecidedChange("triggers", name, "the trigger that refuses changes of the audit trail is missing")
        elif name not in expected:
            yield UndecidedChange("triggers", name, "was not created by this program")
        elif expected[name] not in stored[name]:
            yield UndecidedChange("triggers", name, "does not refuse changes of the audit trail any more")


def _find_views(connection: Connection) -> Iterator[UndecidedChange]:
    """Find views in place of tables: their rows may depend on the time, and need no change to differ."""
    for name in sorted(inspect(connection).get_view_names()):
        if name.lower() in METADATA.tables:
            yield UndecidedChange("views", name, "a view was put in place of the table of this name")


def _decided_models(entries: Iterable[AuditEntry]) -> dict[str, DecidedModel]:
    decided: dict[str, DecidedModel] = {}
    for entry in entries:
        if entry.action == "register" or entry.generation is not None:
            with _naming_malformed(entry):
                decided.setdefault(entry.model, DecidedModel()).follow(entry)
    return decided


def _compare_models(
    connection: Connection, decided: Mapping[str, DecidedModel], *, model: str | None = None
) -> Iterator[UndecidedChange]:
    stored_models: dict[str, dict[str, Any]] = {
        row.name: {"generation": row.generation} for row in connection.execute(select(models))
    }
    stored_deployments = {
        f"{row.model}, {row.stage}": {name: getattr(row, name) for name in _DEPLOYMENT_COLUMNS}
        for row in connection.execute(select(deployments))
    }
    stored_versions = {
        f"{version.model}, {version.version}": {
            "digest": version.digest,
            "semver": version.semver,
            "gates": version.tags.get("gates") or {},
            "registered_at": version.registered_at,
            "stage": version.stage,
        }
        for version in read_versions(connection)
    }
    expected_models = {name: {"generation": state.generation} for name, state in decided.items()}
    expected_deployments = {
        f"{name}, {stage}": row for name, state in decided.items() for stage, row in state.deployments.items()
    }
    expected_versions = {
        f"{name}, {number}": row for name, state in decided.items() for number, row in state.versions.items()
    }
    for table, stored, expected in (
        ("models", stored_models, expected_models),
        ("deployments", stored_deployments, expected_deployments),
        ("versions", stored_versions, expected_versions),
    ):
        of_model = {key: row for key, row in stored.items() if model is None or _is_of_model(key, model)}
        for change in _compare_rows(table, of_model, expected):
            is_restorable = table != "versions" or change.difference.startswith("stage is")
            yield replace(change, is_restorable=is_restorable)


def _is_of_model(key: str, model: str) -> bool:
    """Whether the key of a row is a model, or a model with its stage or version; names hold no comma."""
    return key.partition(", ")[0] == model


def _compare_rows(
    table: str, stored: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Mapping[str, Any]]
) -> Iterator[UndecidedChange]:
    for key in sorted(stored.keys() | expected.keys()):
        if key not in expected:
            yield UndecidedChange(table, key, "the audit trail has no decision about this row")
        elif key not in stored:
            yield UndecidedChange(table, key, "the row of the last decision is missing")
        else:
            for name, value in expected[key].items():
                if stored[key][name] != value:
                    yield UndecidedChange(table, key, _difference(name, stored[key][name], value))


def _difference(column: str, stored: Any, decided: Any) -> str:
    if isinstance(stored, dict) or isinstance(decided, dict):
        return f"{column} differs from the one that was decided"
    return f"{column} is {stored}, and {decided} was decided"


def _last_values(
    entries: Iterable[AuditEntry], actions: tuple[str, ...], *, key: str = "seq"
) -> dict[str, dict[str, Any]]:
    """Return the values after the last decision about each row."""
    last: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.action in actions:
            with _naming_malformed(entry):
                decided = {name: value for name, value in entry.after.items() if name not in ("last_used_at", key)}
                last[str(entry.after[key])] = decided
    return last


def _stored_keys(connection: Connection) -> dict[str, dict[str, Any]]:
    return {str(row.id): row._asdict() for row in connection.execute(select(api_keys))}


def _stored_trials(connection: Connection) -> dict[str, dict[str, Any]]:
    stored = {}
    for row in connection.execute(select(trials)):
        seq = str(row.seq)
        settings = parse_stored_object(row.settings, table="trials", row=seq, column="settings")
        stored[seq] = {**{name: getattr(row, name) for name in _TRIAL_COLUMNS}, "settings": settings}
    return stored


def _decided_trials(entries: Iterable[AuditEntry]) -> dict[str, dict[str, Any]]:
    """Return each trial as its last decision left it."""
    decided: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if "trial" in entry.evidence:
            with _naming_malformed(entry):
                values = entry.evidence["trial"]
                decided[str(values["seq"])] = {name: values[name] for name in _TRIAL_COLUMNS}
    return decided


def _stored_retrains(connection: Connection) -> dict[str, dict[str, Any]]:
    rows = connection.execute(select(retrains))
    return {str(row.seq): {name: getattr(row, name) for name in _RETRAIN_COLUMNS} for row in rows}


def _decided_retrains(entries: Iterable[AuditEntry]) -> dict[str, dict[str, Any]]:
    """Return each retrain as its last change of state left it; an entry leaves out what is None."""
    decided: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.action == "retrain":
            with _naming_malformed(entry):
                values = entry.evidence["retrain"]
                decided[str(values["seq"])] = {name: values.get(name) for name in _RETRAIN_COLUMNS}
    return decided


def _stored_silences(connection: Connection) -> dict[str, dict[str, Any]]:
    return {str(row.seq): row._asdict() for row in connection.execute(select(alert_silences))}


def _compare_incidents(connection: Connection, entries: Iterable[AuditEntry]) -> Iterator[UndecidedChange]:
    """Compare who acknowledged and resolved an incident; the monitor's own changes are no decisions."""
    decided = set()
    for entry in entries:
        if entry.action in _INCIDENT_ACTIONS:
            with _naming_malformed(entry):
                incident = int(entry.after["incident"])
                decided.add((incident, _INCIDENT_ACTIONS[entry.action], entry.actor, entry.recorded_at))
    for row in connection.execute(select(incidents).order_by(incidents.c.seq)):
        for participle in _INCIDENT_ACTIONS.values():
            actor, at = getattr(row, f"{participle}_by"), getattr(row, f"{participle}_at")
            if actor not in (None, MONITOR_ACTOR) and (row.seq, participle, actor, at) not in decided:
                yield UndecidedChange("incidents", str(row.seq), f"{participle} by {actor} was not decided")
            if actor is None and row.status == participle:
                yield UndecidedChange("incidents", str(row.seq), f"{participle} by no actor was not decided")
