"""Mirror versions, tags and aliases from the state database to the MLflow registry."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.files import canonical_json, exclusive_lock
from pipeline.registry.deployment_history import deployments_after
from pipeline.registry.descriptions import mlflow_description
from pipeline.text import iso_timestamp
from pipeline.tracking.logged_models import DIGEST_TAG, ensure_logged_package, register_logged_model
from pipeline.tracking.run_search import require_store
from pipeline.tracking.run_store import StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.package.package_store import PackageStore
    from pipeline.registry.deployment_history import PastDeployment
    from pipeline.state import Deployment, ModelVersion, OutboxTask, State
    from pipeline.tracking.run_store import RunStore

__all__ = ["MirrorResult", "mirror_to_mlflow", "overridden_aliases"]

_ALIASES = {"Staging": "staging", "Production": "production"}
_LOCK_TIMEOUT_S = 60  # for another process on this machine that mirrors
_TAG_PREFIXES = ("mlflow.", "mlops.", "dvc.", "git.")


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """The result of one call: models that MLflow now shows correctly, aliases that were set back, and the error."""

    models: tuple[str, ...] = ()
    overridden_aliases: tuple[str, ...] = ()
    error: str | None = None


def mirror_to_mlflow(
    state: State, packages: PackageStore, mlflow: RunStore, *, all_models: bool = False, wait_s: float | None = None
) -> MirrorResult:
    """Process the MLflow outbox; tasks that fail stay there for the next call.

    Parameters
    ----------
    state : State
    packages : PackageStore
        Source of versions that have no run in MLflow.
    mlflow : RunStore
    all_models : bool
        Also check models without a pending task: aliases that were changed in MLflow are set back and audited.
    wait_s : float, optional
        Longest wait for a server; the work then continues in the background while the process runs.
    """
    if wait_s is None or not mlflow.is_server:
        return _mirror_exclusively(
            state, packages, mlflow, all_models=all_models, wait_s=_LOCK_TIMEOUT_S if wait_s is None else wait_s
        )
    results: list[MirrorResult] = []

    def work() -> None:
        results.append(_mirror_exclusively(state, packages, mlflow, all_models=all_models, wait_s=wait_s))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(wait_s)
    return results[0] if results else MirrorResult(error=f"MLflow did not respond within {wait_s:g} s")


def overridden_aliases(state: State, mlflow: RunStore) -> tuple[str, ...]:
    """Return the aliases in MLflow that do not point to the deployed version; nothing is written.

    Raises
    ------
    DependencyUnavailable
        When MLflow is unreachable.
    """
    with state.reading() as connection:
        names = sorted({version.model for version in store.read_versions(connection)})
        deployments = [store.current_deployment(connection, name) for name in names]
        pending_models = {str(task.payload["model"]) for task in store.read_pending_tasks(connection)}
    aliases: list[str] = []
    with require_store():
        client = mlflow.client() if names else None
        with mlflow.translate_errors():
            for deployment in deployments:
                if deployment.model not in pending_models and _is_registered(client, deployment.model):
                    aliases += _overridden_aliases(client, deployment, _numbers_by_digest(client, deployment.model))
    return tuple(aliases)


def _mirror_exclusively(
    state: State, packages: PackageStore, mlflow: RunStore, *, all_models: bool, wait_s: float
) -> MirrorResult:
    """Mirror under a lock of this machine, so that two processes never create a version twice."""
    try:
        with exclusive_lock(packages.folder.with_name("mirror.lock"), operation="mirroring to MLflow", wait_s=wait_s):
            return _process_outbox(state, packages, mlflow, all_models=all_models)
    except MlopsError as error:
        return MirrorResult(error=str(error))


def _process_outbox(state: State, packages: PackageStore, mlflow: RunStore, *, all_models: bool) -> MirrorResult:
    """Mirror until no task is pending; decisions made meanwhile are mirrored by this call or the next one."""
    synced: set[str] = set()
    overridden: set[str] = set()
    while True:
        with state.reading() as connection:
            tasks = store.read_pending_tasks(connection)
            registered = {version.model for version in store.read_versions(connection)} if all_models else set()
        pending = {str(task.payload["model"]) for task in tasks}
        todo = pending | (registered - synced)
        if not todo:
            return MirrorResult(tuple(sorted(synced)), tuple(sorted(overridden)))
        try:
            aliases = [alias for name in sorted(todo) for alias in _sync_model(state, packages, mlflow, model=name)]
        except StoreUnreachable as error:
            with state.writing() as connection:
                for task in tasks:
                    store.mark_task_failed(connection, task, str(error))
            return MirrorResult(tuple(sorted(synced)), tuple(sorted(overridden)), str(error))
        by_hand = {alias for alias in aliases if alias.partition("@")[0] not in pending}
        _record_results(state, tasks, by_hand)
        synced, overridden = synced | todo, overridden | by_hand


def _record_results(state: State, tasks: Sequence[OutboxTask], overridden: Iterable[str]) -> None:
    with state.writing() as connection:
        for task in tasks:
            store.mark_task_done(connection, task, at=state.clock())
        for alias in sorted(overridden):
            act = store.AuditEvent(
                actor="mirror",
                action="alias put back",
                recorded_at=state.clock(),
                reason=f"{alias} was changed in MLflow",
            )
            store.append_audit_entry(connection, act, model=alias.partition("@")[0])


def _sync_model(state: State, packages: PackageStore, mlflow: RunStore, *, model: str) -> list[str]:
    """Write the differences, again after a decision made meanwhile, and return the aliases that were set back."""
    overridden: list[str] = []
    while True:
        with state.reading() as connection:
            versions, deployment = store.read_versions(connection, model), store.current_deployment(connection, model)
            deployed = {
                past.version: past for past in deployments_after(store.read_audit_entries(connection, model=model))
            }
        overridden += _write_model(packages, mlflow, versions, served=deployment, placed=deployed)
        with state.reading() as connection:
            if store.current_deployment(connection, model).generation == deployment.generation:
                return overridden


def _write_model(
    packages: PackageStore,
    mlflow: RunStore,
    versions: Sequence[ModelVersion],
    *,
    served: Deployment,
    placed: Mapping[int, PastDeployment],
) -> list[str]:
    model = served.model
    client = mlflow.client()
    with mlflow.translate_errors():
        if not _is_registered(client, model):
            client.create_registered_model(
                model, description="Mirrored from the state database, which holds the stages."
            )
        known = _numbers_by_digest(client, model)
        for version in versions:
            if version.digest not in known:
                known[version.digest] = _create_model_version(mlflow, version, packages)
            tags = {**_version_tags(version), **_deployment_tags(placed.get(version.version))}
            _update_version(client, version, known[version.digest], tags=tags)
        return _set_aliases(client, model, served, known=known)


def _is_registered(client: Any, model: str) -> bool:
    return bool(client.search_registered_models(filter_string=f"name = '{model}'"))


def _numbers_by_digest(client: Any, model: str) -> dict[str, str]:
    """Return digest -> MLflow's number of each version in MLflow."""
    versions = client.search_model_versions(f"name = '{model}'", max_results=1000)
    return {version.tags[DIGEST_TAG]: str(version.version) for version in versions if DIGEST_TAG in version.tags}


def _create_model_version(mlflow: RunStore, version: ModelVersion, packages: PackageStore) -> str:
    """Create a version of the LoggedModel that contains this package, which is created if MLflow lacks it."""
    package = packages.fetch(version.digest)
    if not package.is_dir():
        # The version stays visible; without its package there is nothing to load.
        source = package.resolve().as_uri()
        created = mlflow.client().create_model_version(version.model, source, tags={DIGEST_TAG: version.digest})
        return str(created.version)
    entry = ensure_logged_package(
        mlflow,
        version.model,
        package,
        digest=version.digest,
        name=f"{version.model} {version.semver}",
    )
    return register_logged_model(mlflow, version.model, entry, {DIGEST_TAG: version.digest})


def _version_tags(version: ModelVersion) -> dict[str, str]:
    """Return the tags of a version: its numbers, lineage, gate results and stage."""
    gates = version.tags.get("gates")
    gate_tags = (
        {"mlops.gates": gates["verdict"], "mlops.gate_report": canonical_json(gates)} if gates is not None else {}
    )
    properties = {
        name: value for name, value in version.tags.items() if name not in ("gates", "evaluation") and value is not None
    }
    return {
        **{
            name if name.startswith(_TAG_PREFIXES) else f"mlops.{name}": value
            for name, value in _flatten_tags(properties)
        },
        **gate_tags,
        "mlops.version": str(version.version),
        "mlops.semver": version.semver,
        "stage": version.stage,
    }


def _flatten_tags(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten_tags(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def _deployment_tags(deployed: PastDeployment | None) -> dict[str, str]:
    """Return who deployed a version, when and why; a version that left its stage keeps its old tags."""
    if deployed is None:
        return {}
    deployed_at = iso_timestamp(deployed.entry.recorded_at)
    values = {
        "at": deployed_at,
        "by": deployed.entry.actor,
        "because": deployed.entry.reason,
        "generation": str(deployed.generation),
        "audit_head": str(deployed.entry.head),
    }
    return {f"deployed.{name}": value for name, value in values.items() if value}


def _update_version(client: Any, version: ModelVersion, number: str, *, tags: Mapping[str, str]) -> None:
    present = client.get_model_version(version.model, number)
    for key, value in tags.items():
        if present.tags.get(key) != value:
            client.set_model_version_tag(version.model, number, key, value)
    description = mlflow_description(version)
    if present.description != description:
        client.update_model_version(version.model, number, description=description)


def _set_aliases(client: Any, model: str, served: Deployment, *, known: Mapping[str, str]) -> list[str]:
    """Point the aliases to the deployed versions, and return those that pointed elsewhere."""
    overridden = _overridden_aliases(client, served, known)
    for stage, alias in _ALIASES.items():
        if f"{model}@{alias}" not in overridden:
            continue
        if stage in served.digests:
            client.set_registered_model_alias(model, alias, known[served.digests[stage]])
        else:
            client.delete_registered_model_alias(model, alias)
    return overridden


def _overridden_aliases(client: Any, served: Deployment, known: Mapping[str, str]) -> list[str]:
    aliases = client.get_registered_model(served.model).aliases
    expected = {alias: known.get(served.digests.get(stage, "")) for stage, alias in _ALIASES.items()}
    present = {alias: str(aliases[alias]) if alias in aliases else None for alias in expected}
    return [f"{served.model}@{alias}" for alias in expected if present[alias] != expected[alias]]
