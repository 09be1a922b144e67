"""An adopted run reaches the graph as a git diff, and MLflow is rebuilt from git, dvc.lock and DVC's cache."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from pipeline.tracking import ExperimentTracker
from tests.fixtures.workspace import publish_graph_runs

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.tracking import RecordedRun
    from tests.fixtures.workspace import Workspace


def tracker_of(root: Path) -> ExperimentTracker:
    return ExperimentTracker("personality_classification", root=root)


def test_an_adopted_run_gives_exactly_its_metrics_in_the_graph(small: Workspace) -> None:
    small.run("python", "-m", "stages.train", "-m", "model=logistic_regression,knn", "seed=5")
    runs = tracker_of(small.root).search_runs({"mlops.kind": "trial"})
    best = next(run for run in runs if run.params["model.name"] == "knn")
    small.run("mlops", "tracking", "adopt", best.run_id[:8], "--as", "winner")
    small.commit("Adopt the winner")
    small.run("dvc", "exp", "run", "-S", "experiment=winner")
    metrics = json.loads(small.read("metrics/train.json"))
    trial = {name.removeprefix("cv."): value for name, value in best.metrics.items() if name.startswith("cv.")}
    assert {name: metrics[name] for name in trial} == trial


def published_values(run: RecordedRun, root: Path) -> tuple[object, ...]:
    client = tracker_of(root).store.client()
    entries = [
        entry
        for folder in ("", "model", "reports", "plots", "figures")
        for entry in client.list_artifacts(run.run_id, folder)
    ]
    inputs = client.get_run(run.run_id).inputs.dataset_inputs
    artifacts = sorted((entry.path, entry.file_size) for entry in entries)
    return run.name, run.params, run.metrics, artifacts, sorted(entry.dataset.digest for entry in inputs)


def by_fingerprint(root: Path) -> dict[str, tuple[object, ...]]:
    runs = tracker_of(root).search_runs({"mlops.kind": "pipeline"})
    return {run.tags["mlops.fingerprint"]: published_values(run, root) for run in runs}


def test_a_deleted_store_is_rebuilt_from_the_history(small: Workspace) -> None:
    small.run("mlops", "tracking", "sync")
    publish_graph_runs(small)
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    small.repro()
    small.commit("Learn faster")
    small.run("dvc", "exp", "run", "-n", "forest", "-S", "model=naive_bayes")
    before = by_fingerprint(small.root)
    assert len(before) == 3
    (small.root / "mlflow.db").unlink()
    shutil.rmtree(small.root / "mlruns")
    small.run("mlops", "tracking", "sync", "--all-commits")
    assert by_fingerprint(small.root) == before
    again = json.loads(small.run("mlops", "tracking", "sync", "--all-commits", "--json").stdout)
    assert [run["is_new"] for run in again["published"]] == [False, False, False]


def test_results_that_dvc_restored_are_published(small: Workspace) -> None:
    assert not (small.root / "mlflow.db").exists()
    assert small.repro() == set()
    small.run("mlops", "tracking", "sync")
    assert len(by_fingerprint(small.root)) == 1


def test_a_dead_server_does_not_stop_the_graph(small: Workspace) -> None:
    dead = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    publish_graph_runs(small)
    small.edit("conf/evaluation/default.yaml", "calibration_bins: 10 ", "calibration_bins: 12 ")
    completed = small.run("dvc", "repro", env=dead)
    assert "http://127.0.0.1:9 does not respond" in completed.stdout + completed.stderr
    small.run("mlops", "tracking", "flush")
    assert len(by_fingerprint(small.root)) == 1
