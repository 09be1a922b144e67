"""MLflow shows each package as one LoggedModel, linked with its run, its metrics and its versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.project import paths
from pipeline.registry import ModelRegistry
from pipeline.tracking import flush_outbox, make_tracker, publish_run, sync_runs
from pipeline.tracking.logged_models import DIGEST_TAG

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pytest

    from pipeline.config.root_config import Config

NAME = "personality_model"


def logged_models(config: Config) -> list[Any]:
    store = make_tracker(config.tracking).store
    return list(store.client().search_logged_models([store.experiment_id(config.tracking.experiment)]))


def test_the_model_of_a_run_has_its_metrics_parameters_example_and_signature(finished: tuple[Path, Config]) -> None:
    from mlflow.models import Model

    root, config = finished
    published = publish_run(root, config)
    run = make_tracker(config.tracking).store.client().get_run(published.run_id)
    (model,) = logged_models(config)
    assert (model.source_run_id, model.model_type, str(model.status)) == (run.info.run_id, "classifier", "READY")
    assert model.params == run.data.params
    for name in ("mlflow.user", "mlflow.source.name", "mlflow.note.content"):
        assert model.tags[name] == run.data.tags[name]
    assert {metric.key: metric.value for metric in model.metrics} == run.data.metrics
    description = Model.load(model.artifact_location.removeprefix("file://"))
    assert description.model_id == model.model_id
    assert len(description.load_input_example()) == 5
    assert description.get_input_schema().input_names() == list(description.load_input_example().columns)
    assert not list(root.glob("mlruns/*/artifacts/model"))


def test_a_version_is_linked_with_the_model_of_its_run(finished: tuple[Path, Config]) -> None:
    root, config = finished
    published = publish_run(root, config)
    ModelRegistry(root).register_model(str(paths.CANDIDATE_PACKAGE), NAME)
    (model,) = logged_models(config)
    version = make_tracker(config.tracking).store.client().get_model_version(NAME, "1")
    assert (version.source, version.run_id) == (f"models:/{model.model_id}", published.run_id)
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": NAME, "version": 1}]


def test_a_version_without_a_run_gets_one_with_a_model(finished: tuple[Path, Config]) -> None:
    from mlflow import pyfunc

    root, config = finished
    ModelRegistry(root).register_model(str(paths.CANDIDATE_PACKAGE), NAME)
    store = make_tracker(config.tracking).store
    version = store.client().get_model_version(NAME, "1")
    run = store.client().get_run(version.run_id)
    assert (run.info.run_name, run.info.status) == (f"{NAME} 1.0.0", "FINISHED")
    assert run.data.metrics["cv.log_loss"] > 0
    (model,) = store.client().search_logged_models([run.info.experiment_id])
    assert model.tags[DIGEST_TAG] == run.data.tags[DIGEST_TAG]
    loaded = pyfunc.load_model(model.artifact_location)
    assert list(loaded.predict(loaded.input_example)) == ["prediction", "Extrovert", "Introvert"]


def test_a_deleted_model_is_restored_by_sync(finished: tuple[Path, Config]) -> None:
    root, config = finished
    publish_run(root, config)
    (model,) = logged_models(config)
    make_tracker(config.tracking).store.client().delete_logged_model(model.model_id)
    sync_runs(root, config.tracking)
    (restored,) = logged_models(config)
    assert restored.model_id != model.model_id
    assert restored.params == model.params
    assert {metric.key: metric.value for metric in restored.metrics} == {
        metric.key: metric.value for metric in model.metrics
    }
    sync_runs(root, config.tracking)
    assert [each.model_id for each in logged_models(config)] == [restored.model_id]


def test_a_model_waits_in_the_outbox(
    finished: tuple[Path, Config], dead_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, config = finished
    monkeypatch.setenv(config.tracking.uri_env, dead_address)
    assert publish_run(root, config).is_pending
    monkeypatch.delenv(config.tracking.uri_env)
    (run_id,) = flush_outbox(config.tracking)
    (model,) = logged_models(config)
    assert model.source_run_id == run_id
    assert len(model.metrics) == len(make_tracker(config.tracking).store.client().get_run(run_id).data.metrics)
