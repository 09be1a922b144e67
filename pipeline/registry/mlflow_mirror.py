"""Make MLflow's registry say what the state database decided: versions, tags, aliases; as often as need be."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.files import canonical_json, exclusive_lock
from pipeline.registry.deployment_history import deployments_after
from pipeline.registry.descriptions import mlflow_description
from pipeline.tracking.run_search import require_store
from pipeline.tracking.run_store import StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.package.package_store import PackageStore
    from pipeline.registry.deployment_history import PastDeployment
    from pipeline.state import Deployment, ModelVersion, OutboxTask, State
    from pipeline.tracking.run_store import RunStore

__all__ = ["MirrorResult", "mirror", "overridden_aliases"]

_ALIASES = {"Staging": "staging", "Production": "production"}
_DIGEST_TAG = "mlops.package"
_LOCK_TIMEOUT_S = 60  # how long a call that may wait waits for another process that does the same
_TAG_PREFIXES = ("mlflow.", "mlops.", "dvc.", "git.")


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """What a call did: models that MLflow shows as they are now, aliases that somebody else had moved, and what stopped it."""

    models: tuple[str, ...] = ()
    overridden_aliases: tuple[str, ...] = ()
    error: str | None = None


def mirror(
    state: State, packages: PackageStore, mlflow: RunStore, *, all_models: bool = False, wait_s: float | None = None
) -> MirrorResult:
    """Work off what waits in the outbox; what cannot be done now stays there for the next call.

    Parameters
    ----------
    state : State
    packages : PackageStore
        Where a version comes from that has no run in MLflow.
    mlflow : Store
    every : bool
        Look at models for which nothing waits, too: an alias that was moved by hand is put back, and audited.
    wait_s : float, optional
        How long the caller is ready to wait for a server; the rest goes on in the background as long as the
        process lives.
    """
    if wait_s is None or not mlflow.is_server:
        return _mirror_exclusively(
            state, packages, mlflow, all_models=all_models, wait_s=_LOCK_TIMEOUT_S if wait_s is None else wait_s
        )
    found: list[MirrorResult] = []

    def work() -> None:
        found.append(_mirror_exclusively(state, packages, mlflow, all_models=all_models, wait_s=wait_s))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(wait_s)
    return found[0] if found else MirrorResult(error=f"MLflow did not answer within {wait_s:g} s")


def overridden_aliases(state: State, mlflow: RunStore) -> tuple[str, ...]:
    """Return the aliases in MLflow that point to something else than what serves; nothing is written.

    Raises
    ------
    DependencyUnavailable
        When MLflow does not answer.
    """
    with state.reading() as connection:
        names = sorted({version.model for version in store.read_versions(connection)})
        serving = [store.current_deployment(connection, name) for name in names]
        waiting = {str(task.payload["model"]) for task in store.read_pending_tasks(connection)}
    found: list[str] = []
    with require_store():
        client = mlflow.client() if names else None
        with mlflow.translate_errors():
            for served in serving:
                if served.model not in waiting and _is_registered(client, served.model):
                    found += _overridden_aliases(client, served, _numbers_by_digest(client, served.model))
    return tuple(found)


def _mirror_exclusively(
    state: State, packages: PackageStore, mlflow: RunStore, *, all_models: bool, wait_s: float
) -> MirrorResult:
    """Do it while no other process of this machine does: two would make a version twice. Decisions stand in any case."""
    try:
        with exclusive_lock(packages.folder.with_name("mirror.lock"), operation="telling MLflow", wait_s=wait_s):
            return _process_outbox(state, packages, mlflow, all_models=all_models)
    except MlopsError as error:
        return MirrorResult(error=str(error))


def _process_outbox(state: State, packages: PackageStore, mlflow: RunStore, *, all_models: bool) -> MirrorResult:
    """Tell MLflow until nothing waits: what is decided meanwhile, on any machine, is told by this call or by the next."""
    shown: set[str] = set()
    moved: set[str] = set()
    while True:
        with state.reading() as connection:
            tasks = store.read_pending_tasks(connection)
            others = {version.model for version in store.read_versions(connection)} if all_models else set()
        expected = {str(task.payload["model"]) for task in tasks}
        todo = expected | (others - shown)
        if not todo:
            return MirrorResult(tuple(sorted(shown)), tuple(sorted(moved)))
        try:
            found = [alias for name in sorted(todo) for alias in _sync_model(state, packages, mlflow, model=name)]
        except StoreUnreachable as error:
            with state.writing() as connection:
                for task in tasks:
                    store.mark_task_failed(connection, task, str(error))
            return MirrorResult(tuple(sorted(shown)), tuple(sorted(moved)), str(error))
        by_hand = {alias for alias in found if alias.partition("@")[0] not in expected}
        _record_results(state, tasks, by_hand)
        shown, moved = shown | todo, moved | by_hand


def _record_results(state: State, tasks: Sequence[OutboxTask], moved: Iterable[str]) -> None:
    with state.writing() as connection:
        for task in tasks:
            store.mark_task_done(connection, task, at=state.clock())
        for alias in sorted(moved):
            act = store.AuditEvent(
                actor="mirror",
                action="alias put back",
                recorded_at=state.clock(),
                reason=f"{alias} had been moved in MLflow",
            )
            store.append_audit_entry(connection, act, model=alias.partition("@")[0])


def _sync_model(state: State, packages: PackageStore, mlflow: RunStore, *, model: str) -> list[str]:
    """Write what differs, again when somebody decided meanwhile, and return the aliases that pointed elsewhere."""
    changed: list[str] = []
    while True:
        with state.reading() as connection:
            versions, served = store.read_versions(connection, model), store.current_deployment(connection, model)
            placed = {one.version: one for one in deployments_after(store.read_audit_entries(connection, model=model))}
        changed += _write_model(packages, mlflow, versions, served=served, placed=placed)
        with state.reading() as connection:
            if store.current_deployment(connection, model).generation == served.generation:
                return changed


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
            client.create_registered_model(model, description="Registered by its packages; the state database decides.")
        known = _numbers_by_digest(client, model)
        for version in versions:
            if version.digest not in known:
                known[version.digest] = _create_model_version(client, version, packages)
            tags = {**_version_tags(version), **_deployment_tags(placed.get(version.version))}
            _update_version(client, version, known[version.digest], tags=tags)
        return _set_aliases(client, model, served, known=known)


def _is_registered(client: Any, model: str) -> bool:
    return bool(client.search_registered_models(filter_string=f"name = '{model}'"))


def _numbers_by_digest(client: Any, model: str) -> dict[str, str]:
    """Return digest -> MLflow's number of the versions that are there."""
    found = client.search_model_versions(f"name = '{model}'", max_results=1000)
    return {one.tags[_DIGEST_TAG]: str(one.version) for one in found if _DIGEST_TAG in one.tags}


def _create_model_version(client: Any, version: ModelVersion, packages: PackageStore) -> str:
    """Make a version that links its run, where MLflow has one that recorded this package."""
    run_id = _find_run_id(client, version.digest)
    source = f"runs:/{run_id}/model" if run_id is not None else packages.path(version.digest).resolve().as_uri()
    made = client.create_model_version(version.model, source, run_id=run_id, tags={_DIGEST_TAG: version.digest})
    return str(made.version)


def _find_run_id(client: Any, digest: str) -> str | None:
    experiments = [one.experiment_id for one in client.search_experiments()]
    wanted = f"tags.`{_DIGEST_TAG}` = '{digest}' and tags.`mlops.kind` = 'pipeline'"
    found = client.search_runs(experiments, filter_string=wanted, max_results=1)
    return str(found[0].info.run_id) if found else None


def _version_tags(version: ModelVersion) -> dict[str, str]:
    """Return what the version's page shows: who it is, what it was made from, what the gates said, where it stands."""
    gates = version.tags.get("gates")
    said = {"mlops.gates": gates["verdict"], "mlops.gate_report": canonical_json(gates)} if gates is not None else {}
    kept = {name: value for name, value in version.tags.items() if name != "gates" and value is not None}
    return {
        **{name if name.startswith(_TAG_PREFIXES) else f"mlops.{name}": value for name, value in _flatten_tags(kept)},
        **said,
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


def _deployment_tags(now: PastDeployment | None) -> dict[str, str]:
    """Return who put a version where it is, when and why; tags of one that left stay as they were."""
    if now is None:
        return {}
    since = datetime.fromtimestamp(now.entry.recorded_at / 1_000_000, UTC).isoformat(timespec="seconds")
    told = {"at": since, "by": now.entry.actor, "because": now.entry.reason, "generation": str(now.generation)}
    return {f"deployed.{name}": value for name, value in told.items() if value}


def _update_version(client: Any, version: ModelVersion, number: str, *, tags: Mapping[str, str]) -> None:
    present = client.get_model_version(version.model, number)
    for key, value in tags.items():
        if present.tags.get(key) != value:
            client.set_model_version_tag(version.model, number, key, value)
    told = mlflow_description(version)
    if present.description != told:
        client.update_model_version(version.model, number, description=told)


def _set_aliases(client: Any, model: str, served: Deployment, *, known: Mapping[str, str]) -> list[str]:
    """Point the aliases to what serves, and return those that pointed elsewhere."""
    changed = _overridden_aliases(client, served, known)
    for stage, alias in _ALIASES.items():
        if f"{model}@{alias}" not in changed:
            continue
        if stage in served.digests:
            client.set_registered_model_alias(model, alias, known[served.digests[stage]])
        else:
            client.delete_registered_model_alias(model, alias)
    return changed


def _overridden_aliases(client: Any, served: Deployment, known: Mapping[str, str]) -> list[str]:
    found = client.get_registered_model(served.model).aliases
    wanted = {alias: known.get(served.digests.get(stage, "")) for stage, alias in _ALIASES.items()}
    present = {alias: str(found[alias]) if alias in found else None for alias in wanted}
    return [f"{served.model}@{alias}" for alias in wanted if present[alias] != wanted[alias]]
