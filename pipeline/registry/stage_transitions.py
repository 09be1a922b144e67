"""Register a package, move it to a stage, take a move back: each is one transaction of the state database."""

from __future__ import annotations

import os
import pwd
import re
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import GateRefused, UsageError
from pipeline.gates import compare_schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.package import Package
    from pipeline.package.package_store import PackageStore
    from pipeline.schema import Schema
    from pipeline.state import AuditEntry, DeploymentChange, ModelVersion, State

__all__ = ["current_actor", "promote", "register", "rollback"]

_PASSING_VERDICT = "promote"
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,199}")


def current_actor() -> str:
    """Return who acts: `MLOPS_ACTOR`, otherwise the user of this process."""
    return os.environ.get("MLOPS_ACTOR") or pwd.getpwuid(os.getuid()).pw_name


def register(
    state: State,
    packages: PackageStore,
    model: str,
    *,
    candidate: Package,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    gates: Mapping[str, Any] | None = None,
) -> tuple[ModelVersion, bool]:
    """Return the version of a package that lies in `packages`, and whether this call made it.

    The same package is the same version, however often and from wherever it comes. `gates` is what the gates
    said (`GateReport.as_dict`); without it a version can only be promoted by force.

    Raises
    ------
    UsageError
        When the name is none that MLflow and file systems bear.
    """
    if not _MODEL_NAME.fullmatch(model):
        raise UsageError(f"model name {model!r}: accepted are letters, digits, spaces and _ . - (at most 200)")
    with state.writing() as connection:
        known = store.version_by_digest(connection, model, candidate.digest)
        if known is not None:
            return known, False
        at = state.clock()
        versions = store.read_versions(connection, model)
        semver = _next_semver(versions, candidate, packages)
        kept = {**(tags or {}), **_package_tags(candidate), "gates": dict(gates) if gates is not None else None}
        made = store.add_version(
            connection, model, candidate.digest, at=at, semver=semver, description=description, tags=kept
        )
        act = store.AuditEvent(current_actor(), "register", at, evidence=dict(gates or {}))
        store.append_audit_entry(
            connection, act, model=model, version=made.version, after={"digest": made.digest, "semver": semver}
        )
        store.enqueue_task(connection, "mirror", {"model": model}, at=at)
        return made, True


def _package_tags(candidate: Package) -> dict[str, Any]:
    """Return what a version is known by besides its digest."""
    facts = {"model": candidate.manifest.model, "metrics": candidate.metrics}
    made_from = ("data", "data_sha256", "params_sha256", "seed")
    return facts | {name: candidate.lineage[name] for name in made_from if name in candidate.lineage}


def _next_semver(versions: Sequence[ModelVersion], candidate: Package, packages: PackageStore) -> str:
    """Return major when callers break, minor for another kind of model, patch for the same kind trained anew."""
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


def promote(
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
    """Move a version to a stage in one transaction; to Staging and Production only what its gates let through.

    `by` names who decides; `actor()` when None.

    Raises
    ------
    Conflict
        When another decision was made since generation `expected`.
    GateRefused
        When the gates held or rejected it and `force` is not given.
    UsageError
        When there is no such version or stage, or `force` comes without a reason.
    """
    if force and not reason.strip():
        raise UsageError("force needs a reason: whoever reads the audit trail will ask")
    with state.writing() as connection:
        found = store.find_version(connection, model, version)
        gates = found.tags.get("gates")
        if stage in ("Staging", "Production") and not force:
            _check_gates(found, gates)
        action = "force" if force else "promote"
        act = store.AuditEvent(
            actor=decided_by or current_actor(),
            action=action,
            recorded_at=state.clock(),
            reason=reason,
            evidence=gates or {},
        )
        change = store.set_deployment(connection, found, stage, act, expected_generation=expected_generation)
        store.enqueue_task(connection, "mirror", {"model": model}, at=act.recorded_at)
        return change


def _check_gates(version: ModelVersion, gates: Mapping[str, Any] | None) -> None:
    if gates is None:
        raise GateRefused(
            f"{version.model} version {version.version} was never judged by gates; run `dvc repro` to judge it, or"
            " --force with a reason"
        )
    if gates["verdict"] != _PASSING_VERDICT:
        failed = [f"{gate['name']} ({gate['reason']})" for gate in gates["gates"] if gate["result"] != "pass"]
        raise GateRefused(
            f"{version.model} version {version.version}: the gates say {gates['verdict']}: {'; '.join(failed)}."
            " Train a better candidate, or --force with a reason"
        )


def rollback(
    state: State,
    model: str,
    *,
    to: int | None = None,
    reason: str = "",
    expected_generation: int | None = None,
    decided_by: str | None = None,
) -> DeploymentChange:
    """Put a version back into Production that served there before: `to`, or the one before the present one.

    A version that served has passed its gates or was forced, so it is not judged again.

    Raises
    ------
    Conflict
        When another decision was made since generation `expected`.
    UsageError
        When nothing served before, or `to` never did.
    """
    with state.writing() as connection:
        now = store.current_deployment(connection, model).version("Production")
        history = store.read_audit_entries(connection, model=model)
        target = _version_before(history, now, model) if to is None else _require_past_production(history, to, model)
        found = store.find_version(connection, model, target)
        act = store.AuditEvent(
            actor=decided_by or current_actor(), action="rollback", recorded_at=state.clock(), reason=reason
        )
        change = store.set_deployment(connection, found, "Production", act, expected_generation=expected_generation)
        store.enqueue_task(connection, "mirror", {"model": model}, at=act.recorded_at)
        return change


def _version_before(history: Sequence[AuditEntry], now: int | None, model: str) -> int:
    """Return what served before the present version came by a promotion; a rollback is no arrival."""
    for entry in reversed(history):
        arrived, left = _production_version(entry.after), _production_version(entry.before)
        if entry.action != "rollback" and arrived == now and left is not None and left != now:
            return left
    raise UsageError(f"{model}: nothing served in Production before version {now}; there is nothing to go back to")


def _require_past_production(history: Sequence[AuditEntry], version: int, model: str) -> int:
    if any(_production_version(entry.after) == version for entry in history):
        return version
    raise UsageError(f"{model}: version {version} never served in Production; use `mlops promote` for that")


def _production_version(placed: Mapping[str, Any]) -> int | None:
    found = placed.get("Production")
    return None if found is None else int(found["version"])
