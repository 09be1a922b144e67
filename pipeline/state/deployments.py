"""Set deployments: one transaction compares the generation, sets the next, and appends an audit entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exc, insert, select, update

from pipeline.errors import Conflict, NotAllowed, UsageError
from pipeline.state.audit_trail import AuditEntry, AuditEvent, append_audit_entry
from pipeline.state.database import is_insufficient_privilege
from pipeline.state.decided_state import find_undecided_deployments, replay_decisions, undecided_deployment_error
from pipeline.state.tables import deployments, models, versions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.state.versions import ModelVersion

__all__ = [
    "STAGES",
    "Deployment",
    "DeploymentChange",
    "advance_generation",
    "current_deployment",
    "may_change_stage",
    "restore_decided_deployment",
    "set_deployment",
]

STAGES = ("None", "Staging", "Production", "Archived")
_DEPLOYED_STAGES = ("Staging", "Production")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployed versions of a model: version, digest and time by stage, and the number of changes so far."""

    model: str
    generation: int
    versions: dict[str, int]
    digests: dict[str, str]
    deployed_at: dict[str, int]

    def version(self, stage: str) -> int | None:
        """Return the version in a stage; None where there is none."""
        return self.versions.get(stage)

    def as_dict(self) -> dict[str, Any]:
        """Return the version and the digest in each stage, for the audit trail."""
        return {stage: {"version": self.versions[stage], "digest": self.digests[stage]} for stage in self.versions}


@dataclass(frozen=True, slots=True)
class DeploymentChange:
    """A committed change: the deployments before and after it, and its audit entry."""

    before: Deployment
    after: Deployment
    audit_entry: AuditEntry


def current_deployment(connection: Connection, model: str) -> Deployment:
    """Return the deployment of a model; generation 0 without versions for an unknown model."""
    generation = connection.execute(select(models.c.generation).where(models.c.name == model)).scalar()
    rows = connection.execute(select(deployments).where(deployments.c.model == model).order_by(deployments.c.stage))
    placed = {row.stage: row for row in rows}
    return Deployment(
        model,
        generation or 0,
        {stage: row.version for stage, row in placed.items()},
        {stage: row.digest for stage, row in placed.items()},
        {stage: row.deployed_at for stage, row in placed.items()},
    )


def set_deployment(
    connection: Connection,
    version: ModelVersion,
    stage: str,
    event: AuditEvent,
    *,
    expected_generation: int | None = None,
) -> DeploymentChange:
    """Move a version from its stage to another, and archive the version that it replaces.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    version : ModelVersion
        A registered version.
    stage : str
        One of `STAGES`.
    event : AuditEvent
        The event for the audit trail.
    expected_generation : int, optional
        The generation that the caller decided on; None accepts any.

    Raises
    ------
    Conflict
        When another decision was made since `expected_generation`.
    IntegrityError
        When the deployment does not follow from the audit trail.
    NotAllowed
        When the database account may not change a stage that the version leaves or enters.
    UsageError
        When there is no such stage.
    """
    if stage not in STAGES:
        raise UsageError(f"stage {stage!r} is none; accepted: {', '.join(STAGES)}")
    _require_decided(connection, version.model)
    before = current_deployment(connection, version.model)
    left = [deployed for deployed, number in before.versions.items() if number == version.version]
    _require_rights(connection, {stage, *left}, decision=f"{version.model} version {version.version} to {stage}")
    generation = _claim_generation(connection, before, expected_generation)
    _replace_in_stage(connection, before, version, stage, generation, event.recorded_at)
    after = current_deployment(connection, version.model)
    entry = append_audit_entry(
        connection,
        event,
        model=version.model,
        version=version.version,
        generation=after.generation,
        before=before.as_dict(),
        after=after.as_dict() if stage in _DEPLOYED_STAGES else {**after.as_dict(), **_undeployed(version, stage)},
    )
    return DeploymentChange(before, after, entry)


def advance_generation(
    connection: Connection, model: str, event: AuditEvent, *, expected_generation: int | None = None
) -> AuditEntry:
    """Record a decision that leaves every stage as it is; servers read the state again under the new generation.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    model : str
        A model with at least one version.
    event : AuditEvent
        The event for the audit trail.
    expected_generation : int, optional
        The generation that the caller decided on; None accepts any.

    Raises
    ------
    Conflict
        When another decision was made since `expected_generation`.
    IntegrityError
        When the deployment does not follow from the audit trail.
    """
    _require_decided(connection, model)
    deployment = current_deployment(connection, model)
    generation = _claim_generation(connection, deployment, expected_generation)
    deployed = deployment.as_dict()
    return append_audit_entry(connection, event, model=model, generation=generation, before=deployed, after=deployed)


def _claim_generation(connection: Connection, before: Deployment, expected: int | None) -> int:
    """Count the generation up from the expected one and return the new one."""
    generation = before.generation if expected is None else expected
    claimed = connection.execute(
        update(models)
        .where(models.c.name == before.model, models.c.generation == generation)
        .values(generation=generation + 1)
    )
    if claimed.rowcount != 1:
        raise Conflict(
            f"{before.model} is at generation {before.generation} and generation {generation} was expected:"
            " another change came first; check `mlops models list`, then try again"
        )
    return generation + 1


def restore_decided_deployment(connection: Connection, model: str, *, actor: str, at: int) -> AuditEntry | None:
    """Set the deployments, stages and generation of a model to what the audit trail holds, with an entry of its own.

    Return None if they already follow from the trail. The generation grows, so that each server reads them again.
    """
    changes = [change for change in find_undecided_deployments(connection, model) if change.is_restorable]
    if not changes:
        return None
    decided, stored = replay_decisions(connection, model), current_deployment(connection, model)
    changed_stages = {*decided.deployments, *stored.versions}
    _require_rights(connection, changed_stages, decision=f"{model} to what was decided")
    generation = max(decided.generation, stored.generation) + 1
    connection.execute(delete(deployments).where(deployments.c.model == model))
    for stage, row in decided.deployments.items():
        connection.execute(insert(deployments).values(model=model, stage=stage, **row))
    for version, row in decided.versions.items():
        _set_stage(connection, model, version, row["stage"])
    connection.execute(update(models).where(models.c.name == model).values(generation=generation))
    restored = current_deployment(connection, model).as_dict()
    event = AuditEvent(
        actor,
        "restore deployment",
        at,
        "the tables did not follow from the audit trail",
        {"found": stored.as_dict(), "differences": list(map(str, changes))},
    )
    return append_audit_entry(connection, event, model=model, generation=generation, before=restored, after=restored)


def may_change_stage(connection: Connection, stage: str) -> bool:
    """Whether the database account may deploy to a stage, as the database itself reports in a writing transaction.

    An SQLite file has no accounts: who may write it may decide.
    """
    if connection.dialect.name == "sqlite" or stage not in _DEPLOYED_STAGES:
        return True
    savepoint = connection.begin_nested()
    try:
        # No model has this name: with the right, the foreign key refuses the row.
        row = {"model": "", "stage": stage, "version": 0, "digest": "", "generation": 0, "deployed_at": 0}
        connection.execute(insert(deployments).values(**row))
    except exc.IntegrityError:
        return True
    except exc.ProgrammingError as error:
        if is_insufficient_privilege(error):
            return False
        raise
    finally:
        savepoint.rollback()
    return True


def _require_rights(connection: Connection, stages: set[str], *, decision: str) -> None:
    """Refuse a decision about a stage that the database account may not change."""
    for stage in sorted(stages):
        if not may_change_stage(connection, stage):
            raise NotAllowed(
                f"{decision}: the database account {connection.engine.url.username} may not change {stage};"
                " nothing was changed. Set MLOPS_STATE_URL to an account that may, such as mlops_decider"
                " (`mlops state grant` lists the rights)"
            )


def _require_decided(connection: Connection, model: str) -> None:
    """Refuse to decide on top of a deployment that does not follow from the audit trail."""
    changes = [change for change in find_undecided_deployments(connection, model) if change.is_restorable]
    if changes:
        raise undecided_deployment_error(model, changes)


def _undeployed(version: ModelVersion, stage: str) -> dict[str, Any]:
    """Return the stage without deployment that a version changed to, for the audit trail."""
    return {stage: {"version": version.version, "digest": version.digest}}


def _replace_in_stage(
    connection: Connection, before: Deployment, version: ModelVersion, stage: str, generation: int, at: int
) -> None:
    replaced = before.version(stage)
    if replaced is not None and replaced != version.version:
        _set_stage(connection, version.model, replaced, "Archived")
    leaving = [
        deployed_stage
        for deployed_stage in _DEPLOYED_STAGES
        if deployed_stage == stage or before.version(deployed_stage) == version.version
    ]
    removal = delete(deployments).where(deployments.c.model == version.model, deployments.c.stage.in_(leaving))
    connection.execute(removal)
    _set_stage(connection, version.model, version.version, stage)
    if stage in _DEPLOYED_STAGES:
        placed = {
            "model": version.model,
            "stage": stage,
            "version": version.version,
            "digest": version.digest,
            "generation": generation,
            "deployed_at": at,
        }
        connection.execute(insert(deployments).values(**placed))


def _set_stage(connection: Connection, model: str, version: int, stage: str) -> None:
    connection.execute(
        update(versions).where(versions.c.model == model, versions.c.version == version).values(stage=stage)
    )
