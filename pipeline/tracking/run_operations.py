"""Operations on a run as plain values, applied now or stored and applied later."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ArtifactFiles",
    "EndRun",
    "LoggedDataset",
    "MetricPoint",
    "ModelFiles",
    "RunBatch",
    "RunOperation",
    "apply_operation",
    "operation_from_dict",
    "operation_to_dict",
]

# MLflow's own limits for one call.
_MAX_METRICS = 1000
_MAX_PARAMS = 100
_MAX_TAGS = 100
# MLflow's page of a model shows these tags of its run.
_SHARED_TAGS = ("mlflow.user", "mlflow.source.name", "mlflow.source.type", "mlflow.note.content")


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One value of a metric; `at_ms` is UTC in milliseconds since 1970."""

    name: str
    value: float
    at_ms: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class RunBatch:
    """Parameters, metrics and tags, sent in one call."""

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[MetricPoint, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArtifactFiles:
    """A file, or the content of a folder, to upload into `folder` of the artifacts."""

    source: Path
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The folder of an MLflow model, which becomes the LoggedModel `name` of the run.

    Its parameters are those of the run, and `metrics` are those of the model.
    """

    source: Path
    name: str
    model_type: str | None = None
    metrics: tuple[MetricPoint, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedDataset:
    """A data set of the run; `schema` and `profile` are JSON."""

    name: str
    digest: str
    source: str
    context: str
    schema: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class EndRun:
    """The end of a run."""

    status: str
    at_ms: int


RunOperation = RunBatch | ArtifactFiles | ModelFiles | LoggedDataset | EndRun
_OPERATION_TYPES: dict[str, type[RunOperation]] = {
    "batch": RunBatch,
    "files": ArtifactFiles,
    "model": ModelFiles,
    "input": LoggedDataset,
    "end": EndRun,
}


def apply_operation(client: Any, run_id: str, operation: RunOperation) -> None:
    """Apply an operation to a run; it is idempotent."""
    match operation:
        case RunBatch():
            _send_batch(client, run_id, operation)
        case ArtifactFiles(source, folder):
            if source.is_dir():
                client.log_artifacts(run_id, str(source), folder)
            else:
                client.log_artifact(run_id, str(source), folder)
        case ModelFiles():
            _send_model(client, run_id, operation)
        case LoggedDataset():
            _send_dataset(client, run_id, operation)
        case EndRun(status, at_ms):
            client.set_terminated(run_id, status, at_ms)


def _send_batch(client: Any, run_id: str, batch: RunBatch, model_id: str | None = None) -> None:
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(point.name, point.value, point.at_ms, point.step, model_id) for point in batch.metrics]
    params = [Param(name, value) for name, value in batch.params.items()]
    tags = [RunTag(name, value) for name, value in batch.tags.items()]
    # Few calls: MLflow accepts 1,000 values in a call, 100 of them parameters.
    while metrics or params or tags:
        client.log_batch(run_id, metrics[: _MAX_METRICS - 200], params[:_MAX_PARAMS], tags[:_MAX_TAGS])
        del metrics[: _MAX_METRICS - 200], params[:_MAX_PARAMS], tags[:_MAX_TAGS]


def _send_model(client: Any, run_id: str, files: ModelFiles) -> None:
    """Create the LoggedModel, or complete one whose transfer was interrupted."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    run = client.get_run(run_id)
    tags = {name: run.data.tags[name] for name in _SHARED_TAGS if name in run.data.tags} | dict(files.tags)
    criteria = f"source_run_id = '{run_id}' and name = '{files.name}'"
    models = client.search_logged_models([run.info.experiment_id], criteria, max_results=1)
    if models and str(models[0].status) == "READY":
        return
    model = (
        models[0]
        if models
        else client.create_logged_model(
            run.info.experiment_id, files.name, run_id, tags, run.data.params, files.model_type
        )
    )
    description = Model.load(str(files.source / "MLmodel"))
    description.model_id, description.model_uuid, description.run_id = model.model_id, model.model_id, run_id
    description.artifact_path = model.artifact_location
    description.save(str(files.source / "MLmodel"))
    client.log_model_artifacts(model.model_id, str(files.source))
    if model.model_id not in {output.model_id for output in (run.outputs.model_outputs if run.outputs else ())}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    # MLflow stores an equal point of the run once.
    _send_batch(client, run_id, RunBatch(metrics=files.metrics), model.model_id)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _send_dataset(client: Any, run_id: str, logged_dataset: LoggedDataset) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        logged_dataset.name,
        logged_dataset.digest,
        "local",
        logged_dataset.source,
        logged_dataset.schema,
        logged_dataset.profile,
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", logged_dataset.context)])])


def operation_to_dict(operation: RunOperation) -> dict[str, Any]:
    """Return the operation as plain values."""
    kind = next(name for name, member in _OPERATION_TYPES.items() if isinstance(operation, member))
    plain = asdict(operation)
    if isinstance(operation, ArtifactFiles | ModelFiles):
        plain["source"] = str(operation.source)
    return {"kind": kind, **plain}


def operation_from_dict(plain: Mapping[str, Any]) -> RunOperation:
    """Return the operation that `operation_to_dict` wrote."""
    values = {key: value for key, value in plain.items() if key != "kind"}
    kind = _OPERATION_TYPES[plain["kind"]]
    if kind is RunBatch:
        return RunBatch(values["params"], _metric_points(values["metrics"]), values["tags"])
    if kind is ArtifactFiles:
        return ArtifactFiles(Path(values["source"]), values["folder"])
    if kind is ModelFiles:
        return ModelFiles(**{**values, "source": Path(values["source"]), "metrics": _metric_points(values["metrics"])})
    return kind(**values)


def _metric_points(plain: Iterable[Mapping[str, Any]]) -> tuple[MetricPoint, ...]:
    return tuple(MetricPoint(**point) for point in plain)
