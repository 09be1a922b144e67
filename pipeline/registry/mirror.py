"""Make MLflow's registry say what the state database decided: versions, tags, aliases; as often as need be."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.files import canonical_json
from pipeline.tracking.store import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package.store import PackageStore
    from pipeline.state import Served, State, Version
    from pipeline.tracking.store import Store

__all__ = ["Mirrored", "mirror"]

_ALIASES = {"Staging": "staging", "Production": "production"}
_DIGEST = "mlops.package"
_PREFIXES = ("mlflow.", "mlops.", "dvc.")


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a call did: models that MLflow shows as they are now, aliases that somebody else had moved, and what stopped it."""

    models: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    error: str | None = None


def mirror(
    state: State, packages: PackageStore, mlflow: Store, *, every: bool = False, wait_s: float | None = None
) -> Mirrored:
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
        return _mirror(state, packages, mlflow, every=every)
    found: list[Mirrored] = []
    worker = threading.Thread(target=lambda: found.append(_mirror(state, packages, mlflow, every=every)), daemon=True)
    worker.start()
    worker.join(wait_s)
    return found[0] if found else Mirrored(error=f"MLflow did not answer within {wait_s:g} s")


def _mirror(state: State, packages: PackageStore, mlflow: Store, *, every: bool) -> Mirrored:
    with state.reading() as connection:
        tasks = store.waiting(connection)
        others = {version.model for version in store.all_versions(connection)} if every else set()
    expected = {str(task.payload["model"]) for task in tasks}
    moved: list[str] = []
    try:
        for name in sorted(expected | others):
            found = _bring_up_to_date(state, packages, mlflow, name)
            moved += [] if name in expected else found
    except Unreachable as error:
        with state.writing() as connection:
            for task in tasks:
                store.failed(connection, task, str(error))
        return Mirrored(error=str(error))
    with state.writing() as connection:
        for task in tasks:
            store.done(connection, task, at=state.clock())
        for alias in moved:
            act = store.Act("mirror", "alias put back", state.clock(), f"{alias} had been moved in MLflow")
            store.append(connection, act, model=alias.partition("@")[0])
    return Mirrored(tuple(sorted(expected | others)), tuple(moved))


def _bring_up_to_date(state: State, packages: PackageStore, mlflow: Store, model: str) -> list[str]:
    """Write what differs, and return the aliases that pointed elsewhere."""
    with state.reading() as connection:
        versions, served = store.all_versions(connection, model), store.served(connection, model)
    client = mlflow.client()
    with mlflow.asking():
        known = _known_versions(client, model)
        for version in versions:
            if version.digest not in known:
                known[version.digest] = _create(client, version, packages)
            _tag(client, model, known[version.digest], _tags(version))
        return _alias(client, model, served, known)


def _known_versions(client: Any, model: str) -> dict[str, str]:
    """Return digest -> MLflow's number of the versions that are there, and make the model where it is not."""
    if not client.search_registered_models(filter_string=f"name = '{model}'"):
        client.create_registered_model(model, description="Registered by its packages; the state database decides.")
        return {}
    found = client.search_model_versions(f"name = '{model}'", max_results=1000)
    return {one.tags[_DIGEST]: str(one.version) for one in found if _DIGEST in one.tags}


def _create(client: Any, version: Version, packages: PackageStore) -> str:
    """Make a version that links its run, where MLflow has one that recorded this package."""
    run_id = _run_of(client, version.digest)
    source = f"runs:/{run_id}/model" if run_id is not None else packages.path(version.digest).resolve().as_uri()
    made = client.create_model_version(
        version.model, source, run_id=run_id, tags={_DIGEST: version.digest}, description=version.description
    )
    return str(made.version)


def _run_of(client: Any, digest: str) -> str | None:
    experiments = [one.experiment_id for one in client.search_experiments()]
    wanted = f"tags.`{_DIGEST}` = '{digest}' and tags.`mlops.kind` = 'pipeline'"
    found = client.search_runs(experiments, filter_string=wanted, max_results=1)
    return str(found[0].info.run_id) if found else None


def _tags(version: Version) -> dict[str, str]:
    """Return what the version's page shows: who it is, what the gates said, where it stands."""
    gates = version.tags.get("gates")
    kept = {key: str(value) for key, value in version.tags.items() if key != "gates" and value is not None}
    said = {"mlops.gates": gates["verdict"], "mlops.gate_report": canonical_json(gates)} if gates is not None else {}
    return {
        **{key if key.startswith(_PREFIXES) else f"mlops.{key}": value for key, value in kept.items()},
        **said,
        "mlops.version": str(version.version),
        "mlops.semver": version.semver,
        "stage": version.stage,
    }


def _tag(client: Any, model: str, number: str, tags: Mapping[str, str]) -> None:
    present = client.get_model_version(model, number).tags
    for key, value in tags.items():
        if present.get(key) != value:
            client.set_model_version_tag(model, number, key, value)


def _alias(client: Any, model: str, served: Served, known: Mapping[str, str]) -> list[str]:
    """Point the aliases to what serves, and return those that pointed elsewhere."""
    found = client.get_registered_model(model).aliases
    changed = []
    for stage, alias in _ALIASES.items():
        present = str(found[alias]) if alias in found else None
        wanted = known[served.digests[stage]] if stage in served.digests else None
        if present == wanted:
            continue
        changed.append(f"{model}@{alias}")
        if wanted is None:
            client.delete_registered_model_alias(model, alias)
        else:
            client.set_registered_model_alias(model, alias, wanted)
    return changed
