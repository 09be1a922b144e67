"""Create the LoggedModels of MLflow: models with their files, and the parameters and metrics of their run."""

from __future__ import annotations

import json
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import read_json
from pipeline.project.actor import current_actor
from pipeline.tracking.flavors import save_package
from pipeline.tracking.run_operations import EndRun, MetricPoint, ModelFiles, RunBatch, apply_operation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from pipeline.tracking.run_store import RunStore

__all__ = [
    "DIGEST_TAG",
    "LoggedModelEntry",
    "ensure_logged_package",
    "register_logged_model",
    "restore_logged_model",
]

DIGEST_TAG = "mlops.package"
# MLflow's page of a model lists the versions in this tag.
_VERSIONS_TAG = "mlflow.modelVersions"


@dataclass(frozen=True, slots=True)
class LoggedModelEntry:
    """A model in MLflow: its id, and the run that logged it."""

    model_id: str
    run_id: str


def restore_logged_model(store: RunStore, run_id: str, package: Path, tags: Mapping[str, str]) -> bool:
    """Log the model of a finished run again if it was deleted in MLflow; return whether it was.

    Raises
    ------
    StoreUnreachable
        When the store does not respond.
    """
    client = store.client()
    with store.translate_errors(), tempfile.TemporaryDirectory() as above:
        run = client.get_run(run_id)
        if any(map(_is_ready, client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'"))):
            return False
        folder = Path(above) / "model"
        save_package(package, folder)
        latest = [client.get_metric_history(run_id, name)[-1] for name in run.data.metrics]
        points = tuple(MetricPoint(each.key, each.value, each.timestamp, each.step) for each in latest)
        apply_operation(client, run_id, ModelFiles(folder, "model", "classifier", points, tags))
    return True


def ensure_logged_package(
    store: RunStore, experiment: str, package: Path, *, digest: str, name: str
) -> LoggedModelEntry:
    """Return the model in MLflow that contains a package; one without a run gets a run of its own.

    Parameters
    ----------
    store : RunStore
    experiment : str
        Experiment of such a run.
    package : Path
        Folder of the package.
    digest : str
        Digest of the package.
    name : str
        Name of such a run.

    Raises
    ------
    StoreUnreachable
        When the store does not respond.
    """
    client = store.client()
    with store.translate_errors():
        found = _find_package(client, digest)
    if found is not None:
        return found
    experiment_id = store.experiment_id(experiment)
    with store.translate_errors(), tempfile.TemporaryDirectory() as above:
        folder = Path(above) / "model"
        save_package(package, folder)
        tags = {"mlops.kind": "package", "mlflow.user": current_actor(), DIGEST_TAG: digest}
        run = _unfinished_run(client, experiment_id, digest) or client.create_run(
            experiment_id, tags=tags, run_name=name
        )
        run_id, at_ms = str(run.info.run_id), int(run.info.start_time)
        metrics = _cross_validated(package, at_ms)
        apply_operation(client, run_id, RunBatch(metrics=metrics))
        apply_operation(client, run_id, ModelFiles(folder, "model", "classifier", metrics, {DIGEST_TAG: digest}))
        apply_operation(client, run_id, EndRun("FINISHED", at_ms))
        created = _find_package(client, digest)
    if created is None:
        raise AssertionError(f"run {run_id} has no model")
    return created


def _unfinished_run(client: Any, experiment_id: str, digest: str) -> Any:
    """Return the run of a package whose transfer was interrupted; None without one."""
    criteria = f"tags.`{DIGEST_TAG}` = '{digest}' and tags.`mlops.kind` = 'package'"
    return next(iter(client.search_runs([experiment_id], criteria, max_results=1)), None)


def register_logged_model(store: RunStore, name: str, entry: LoggedModelEntry, tags: Mapping[str, str]) -> str:
    """Create a version of a registered model from a LoggedModel, link both ways, and return its number.

    Raises
    ------
    StoreUnreachable
        When the store does not respond.
    """
    client = store.client()
    with store.translate_errors(), _default_address(store):
        source = f"models:/{entry.model_id}"
        version = client.create_model_version(name, source, entry.run_id, tags=dict(tags), model_id=entry.model_id)
        model = client.get_logged_model(entry.model_id)
        links = [*json.loads(model.tags.get(_VERSIONS_TAG, "[]")), {"name": name, "version": version.version}]
        client.set_logged_model_tags(entry.model_id, {_VERSIONS_TAG: json.dumps(links)})
    return str(version.version)


def _default_address(store: RunStore) -> AbstractContextManager[None]:
    """Make a store that is no server the default inside the block: MLflow looks the model of a version up there."""
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    return nullcontext() if store.is_server else _use_tracking_uri(store.address)


def _find_package(client: Any, digest: str) -> LoggedModelEntry | None:
    """Return the oldest complete model with a package."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    models = client.search_logged_models(
        experiments,
        f"tags.`{DIGEST_TAG}` = '{digest}'",
        order_by=[{"field_name": "creation_timestamp", "ascending": True}],
    )
    return next((LoggedModelEntry(each.model_id, each.source_run_id) for each in models if _is_ready(each)), None)


def _is_ready(model: Any) -> bool:
    return str(model.status) == "READY"


def _cross_validated(package: Path, at_ms: int) -> tuple[MetricPoint, ...]:
    values = read_json(package / "metrics.json")
    return tuple(MetricPoint(f"cv.{name}", float(value), at_ms) for name, value in values.items() if value is not None)
