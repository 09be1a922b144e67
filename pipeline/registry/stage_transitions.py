"""Register, promote and roll back versions, each in one transaction of the state database."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import GateRefused, UsageError
from pipeline.gates import compare_schemas
from pipeline.project.actor import current_actor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.package import Package
    from pipeline.package.package_store import PackageStore
    from pipeline.schema import Schema
    from pipeline.state import AuditEntry, DeploymentChange, ModelVersion, State

__all__ = [
    "Registration",
    "find_previous_production",
    "promote_version",
    "promote_within",
    "register_package",
    "roll_back_version",
    "roll_back_within",
]

_PASSING_VERDICT = "promote"
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,199}")


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered version, and whether this call created it."""

    version: ModelVersion
    is_new: bool


def register_package(
    state: State,
    packages: PackageStore,
    model: str,
    *,
    candidate: Package,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    gates: Mapping[str, Any] | None = None,
) -> Registration:
    """Register a package of `packages`; a registered one keeps its version.

    The same package is always the same version. `gates` is the result of the gates (`GateReport.as_dict`);
    without it a version can only be promoted by force.

    Raises
    ------
    UsageError
        When MLflow or a file system would refuse the name.
    """
    if not _MODEL_NAME.fullmatch(model):
        raise UsageError(f"model name {model!r}: expected letters, digits, spaces and _ . - (at most 200)")
    with state.writing() as connection:
        existing = store.version_by_digest(connection, model, candidate.digest)
        if existing is not None:
            return Registration(existing, is_new=False)
        at = state.clock()
        versions = store.read_versions(connection, model)
        semver = _next_semver(versions, candidate, packages)
        all_tags = {**(tags or {}), **_package_tags(candidate), "gates": dict(gates) if gates is not None else None}
        version = store.add_version(
            connection, model, candidate.digest, at=at, semver=semver, description=description, tags=all_tags
        )
        evidence = {**(gates or {}), **_mitigation_evidence(candidate)}
        event = store.AuditEvent(current_actor(), "register", at, evidence=evidence)
        store.append_audit_entry(
            connection, event, model=model, version=version.version, after={"digest": version.digest, "semver": semver}
        )
        store.enqueue_task(connection, "mirror", {"model": model}, at=at)
        return Registration(version, is_new=True)


def _package_tags(candidate: Package) -> dict[str, Any]:
    """Return the tags that the package itself gives to its version."""
    tags = {"model": candidate.manifest.model, "metrics": candidate.metrics}
    lineage_names = ("data", "data_sha256", "params_sha256", "seed")
    return tags | {name: candidate.lineage[name] for name in lineage_names if name in candidate.lineage}


def _mitigation_evidence(candidate: Package) -> dict[str, Any]:
    """Return what training did for groups and the stated reason, for the audit trail; empty without a mitigation."""
    if candidate.mitigation is None:
        return {}
    names = ("kind", "column", "metric", "reason", "thresholds")
    return {"mitigation": {name: candidate.mitigation[name] for name in names}}


def _next_semver(versions: Sequence[ModelVersion], candidate: Package, packages: PackageStore) -> str:
    """Raise the major part when callers break, minor for another kind of model, patch for a retrained one."""
    if not versions:
        return "1.0.0"
    last = versions[-1]
    major, minor, patch = (int(part) for part in last.semver.split("."))
    if _has_breaking_change(packages.load(last.digest).schema, candidate.schema):
        return f"{major + 1}.0.0"
    if last.tags.get("model") != candidate.manifest.model:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def _has_breaking_change(old: Schema, new: Schema) -> bool:
    return any(change.is_breaking for change in compare_schemas(old, new))


def promote_version(
    state: State,
    model: str,
    version: int,
    *,
    stage: str,
    reason: str = "",
    expected_generation: int | None = None,
    force: bool = False,
    decided_by: str | None = None,
) -> DeploymentChange:
    """Move a version to a stage, atomically; Staging and Production need passed gates or `force`.

    `decided_by` is the actor of the audit trail; `current_actor()` when None.

    Raises
    ------
    Conflict
        When the deployment changed since `expected_generation`.
    GateRefused
        When its gates did not pass and `force` is not given.
    UsageError
        When the version or stage does not exist, or `force` has no reason.
    """
    if force and not reason.strip():
        raise UsageError("force needs a reason for the audit trail; add --reason")
    event = store.AuditEvent(
        actor=decided_by or current_actor(),
        action="force" if force else "promote",
        recorded_at=state.clock(),
        reason=reason,
    )
    with state.writing() as connection:
        return promote_within(
            connection, model, version, stage=stage, event=event, expected_generation=expected_generation
        )


def promote_within(
    connection: Any,
    model: str,
    version: int,
    *,
    stage: str,
    event: store.AuditEvent,
    expected_generation: int | None = None,
) -> DeploymentChange:
    """Promote a version in the caller's transaction; the gates do not count for an event with the action `force`.

    Raises
    ------
    Conflict, GateRefused, UsageError
        As `promote_version`.
    """
    registered = store.find_version(connection, model, version)
    gates = registered.tags.get("gates")
    if stage in ("Staging", "Production") and event.action != "force":
        _check_gates(registered, gates)
    with_gates = replace(event, evidence={**(gates or {}), **event.evidence})
    change = store.set_deployment(connection, registered, stage, with_gates, expected_generation=expected_generation)
    store.enqueue_task(connection, "mirror", {"model": model}, at=event.recorded_at)
    return change


def _check_gates(version: ModelVersion, gates: Mapping[str, Any] | None) -> None:
    if gates is None:
        raise GateRefused(
            f"{version.model} version {version.version}: its gates were never evaluated; override them with a reason"
        )
    if gates["verdict"] != _PASSING_VERDICT:
        failed = [f"{gate['name']} ({gate['reason']})" for gate in gates["gates"] if gate["result"] != "pass"]
        raise GateRefused(
            f"{version.model} version {version.version}: the verdict of its gates is {gates['verdict']}:"
            f" {'; '.join(failed)}. Train a better candidate, or override the gates with a reason"
        )


def roll_back_version(
    state: State,
    model: str,
    *,
    to: int | None = None,
    reason: str = "",
    expected_generation: int | None = None,
    decided_by: str | None = None,
) -> DeploymentChange:
    """Return Production to an earlier version: `to`, or the one before the current version.

    The gates are not evaluated again: they passed, or the version was forced, at its first promotion.

    Raises
    ------
    Conflict
        When the deployment changed since `expected_generation`.
    UsageError
        When no earlier version was in Production, or `to` never was.
    """
    event = store.AuditEvent(
        actor=decided_by or current_actor(), action="rollback", recorded_at=state.clock(), reason=reason
    )
    with state.writing() as connection:
        return roll_back_within(connection, model, to=to, event=event, expected_generation=expected_generation)


def roll_back_within(
    connection: Any,
    model: str,
    *,
    to: int | None,
    event: store.AuditEvent,
    expected_generation: int | None = None,
) -> DeploymentChange:
    """Roll a version back in the caller's transaction.

    Raises
    ------
    Conflict, UsageError
        As `roll_back_version`.
    """
    current = store.current_deployment(connection, model).version("Production")
    history = store.read_audit_entries(connection, model=model)
    target = _require_previous(history, current, model) if to is None else _require_past_production(history, to, model)
    registered = store.find_version(connection, model, target)
    change = store.set_deployment(connection, registered, "Production", event, expected_generation=expected_generation)
    store.enqueue_task(connection, "mirror", {"model": model}, at=event.recorded_at)
    return change


def find_previous_production(history: Sequence[AuditEntry], current: int | None) -> int | None:
    """Return the version that the last promotion of the current one replaced, None without one.

    `history` is the audit trail of the model, oldest first. Rollbacks do not count.
    """
    for entry in reversed(history):
        arrived, left = _production_version(entry.after), _production_version(entry.before)
        if entry.action != "rollback" and arrived == current and left is not None and left != current:
            return left
    return None


def _require_previous(history: Sequence[AuditEntry], current: int | None, model: str) -> int:
    previous = find_previous_production(history, current)
    if previous is not None:
        return previous
    raise UsageError(f"{model}: no version was in Production before version {current}; a rollback is not possible")


def _require_past_production(history: Sequence[AuditEntry], version: int, model: str) -> int:
    if any(_production_version(entry.after) == version for entry in history):
        return version
    raise UsageError(f"{model}: version {version} was never in Production; use `mlops promote` instead")


def _production_version(stages: Mapping[str, Any]) -> int | None:
    production = stages.get("Production")
    return None if production is None else int(production["version"])
