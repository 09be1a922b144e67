"""Equal results have one MLflow run, with metrics, artifacts, data sets and revision."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline import files, package
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.tracking import flush_outbox, make_tracker, publish_run, sync_runs
from tests.pipeline.tracking.graph_outputs import logged_model_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.tracking import ExperimentTracker, RecordedRun


def only_run(tracker: ExperimentTracker) -> RecordedRun:
    (run,) = tracker.search_runs()
    return run


def test_the_run_has_name_parameters_metrics_and_package(finished: tuple[Path, Config]) -> None:
    root, config = finished
    published = publish_run(root, config)
    run = only_run(make_tracker(config.tracking))
    assert published.is_new
    assert run.run_id == published.run_id
    assert run.name == "hist_gradient_boosting on personality"
    assert run.params["model.name"] == "hist_gradient_boosting"
    assert run.params["seed"] == "42"
    assert run.params["model.estimator.max_iter"] == "10"
    assert run.metrics["test.log_loss"] == files.read_json(root / paths.TEST_METRICS)["log_loss"]
    assert run.metrics["cv.log_loss"] == files.read_json(root / paths.TRAIN_METRICS)["log_loss"]
    assert run.tags["mlops.package"] == package.load_package(root / paths.CANDIDATE_PACKAGE).digest


def test_the_run_has_package_reports_curves_and_figures(finished: tuple[Path, Config]) -> None:
    root, config = finished
    published = publish_run(root, config)
    tracker = make_tracker(config.tracking)
    client = tracker.store.client()

    def artifacts(folder: str) -> set[str]:
        return {entry.path for entry in client.list_artifacts(published.run_id, folder)}

    assert {"data", "metrics", "params.yaml", "plots", "reports", "figures"} == artifacts("")
    assert {"figures/confusion.png", "figures/roc.png", "figures/calibration.png"} <= artifacts("figures")
    assert "reports/model_card.md" in artifacts("reports")
    (train, test) = client.get_run(published.run_id).inputs.dataset_inputs
    assert {entry.dataset.name for entry in (train, test)} == {"personality train", "personality test"}
    assert json.loads(train.dataset.profile)["num_rows"] + json.loads(test.dataset.profile)["num_rows"] == 600


def test_mlflow_loads_the_model_and_it_predicts_with_missing_integers(finished: tuple[Path, Config]) -> None:
    from mlflow import pyfunc

    root, config = finished
    published = publish_run(root, config)
    client = make_tracker(config.tracking).store.client()
    loaded = pyfunc.load_model(logged_model_folder(client, published.run_id))
    rows = files.read_parquet(root / paths.TEST_ROWS)
    has_missing = rows[rows.isna().any(axis=1)].head(20)
    expected = package.load_package(root / paths.CANDIDATE_PACKAGE).predict_proba(has_missing)
    as_floats = has_missing.astype(dict.fromkeys(has_missing.select_dtypes("Int64"), "float64"))
    as_json = pd.DataFrame(json.loads(has_missing.to_json(orient="records")))
    for frame in (has_missing, as_floats, as_json):
        predictions = loaded.predict(frame)
        assert predictions[["Extrovert", "Introvert"]].to_numpy() == pytest.approx(expected)


def test_equal_results_find_their_run(finished: tuple[Path, Config]) -> None:
    root, config = finished
    first = publish_run(root, config)
    second = publish_run(root, config)
    assert (second.run_id, second.is_new) == (first.run_id, False)
    assert str(second).endswith(f"already recorded as run {first.run_id[:8]}")


def test_all_metrics_of_a_run_are_sent_at_once(finished: tuple[Path, Config], monkeypatch: pytest.MonkeyPatch) -> None:
    root, config = finished
    make_tracker(config.tracking).store.client()
    from mlflow.tracking.client import MlflowClient

    calls: list[int] = []
    real: Callable[..., Any] = MlflowClient.log_batch

    def counted(self: Any, run_id: str, metrics: Any = (), *args: Any, **kwargs: Any) -> Any:
        calls.extend([len(metrics)] if metrics else [])
        return real(self, run_id, metrics, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    publish_run(root, config)
    assert len(calls) == 2  # one of them links the metrics to the model
    assert len(set(calls)) == 1


def test_another_port_is_the_same_run_and_another_seed_is_not(finished: tuple[Path, Config]) -> None:
    root, config = finished
    first = publish_run(root, config)
    params = root / paths.PARAMS
    params.write_text(params.read_text(encoding="utf-8").replace("port: 5000", "port: 5001"), encoding="utf-8")
    assert publish_run(root, config).run_id == first.run_id
    params.write_text(params.read_text(encoding="utf-8").replace("seed: 42", "seed: 43"), encoding="utf-8")
    assert publish_run(root, config).run_id != first.run_id


def test_outputs_of_two_runs_are_refused(finished: tuple[Path, Config]) -> None:
    root, config = finished
    report = files.read_json(root / paths.EVALUATION_REPORT)
    files.write_json(root / paths.EVALUATION_REPORT, {**report, "package": "0" * 64})
    with pytest.raises(DataError, match="is incomplete; run `dvc repro`"):
        publish_run(root, config)


def test_missing_outputs_are_named(root: Path, made: tuple[Path, Config]) -> None:
    with pytest.raises(DataError, match=r"metrics/train\.json.*run `dvc repro` first"):
        publish_run(root, made[1])


def test_an_experiment_in_a_temporary_copy_reaches_the_workspace(
    finished: tuple[Path, Config], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, config = finished
    copy = tmp_path_factory.mktemp("queue") / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("mlflow.db*"))
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.setenv("DVC_EXP_NAME", "warm-bath")
    publish_run(copy, config)
    assert not (copy / "mlflow.db").exists()
    monkeypatch.chdir(root)
    run = only_run(make_tracker(config.tracking))
    assert run.name == "hist_gradient_boosting on personality (warm-bath)"
    assert run.tags["dvc.experiment"] == "warm-bath"


def test_a_dead_server_does_not_stop_the_run_and_it_is_sent_later(
    finished: tuple[Path, Config],
    dead_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, config = finished
    monkeypatch.setenv(config.tracking.uri_env, dead_address)
    published = publish_run(root, config)
    assert published.is_pending
    assert f"{dead_address} does not respond" in capsys.readouterr().err
    monkeypatch.delenv(config.tracking.uri_env)
    assert len(flush_outbox(config.tracking)) == 1
    run = only_run(make_tracker(config.tracking))
    assert run.is_finished
    assert publish_run(root, config).run_id == run.run_id


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def test_sync_tags_the_commit_after_the_results_are_committed(finished: tuple[Path, Config]) -> None:
    root, config = finished
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "Begin")
    (root / "conf").mkdir()
    (root / "conf" / "new.yaml").write_text("a: 1\n", encoding="utf-8")
    publish_run(root, config)
    assert only_run(make_tracker(config.tracking)).tags["git.dirty"] == "true"
    git(root, "add", "conf", "dvc.yaml")
    git(root, "commit", "-q", "-m", "Settle")
    result = sync_runs(root, config.tracking)
    assert [run.is_new for run in result.published] == [False]
    assert only_run(make_tracker(config.tracking)).tags["git.dirty"] == "false"
