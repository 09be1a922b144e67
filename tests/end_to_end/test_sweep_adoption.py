"""An adopted run reaches the graph as a git diff, and MLflow is rebuilt from git, dvc.lock and DVC's cache."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline.tracking import ExperimentTracker
from tests.fixtures.proof import is_long
from tests.fixtures.workspace import publish_graph_runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace


def tracker_of(root: Path) -> ExperimentTracker:
    return ExperimentTracker("personality_classification", root=root)


@pytest.mark.skipif(not is_long(), reason="a sweep and a graph; run with --proof=long")
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


def published_runs(root: Path) -> dict[str, tuple[object, ...]]:
    """Return what the store and its folder hold of each run of the graph, by fingerprint.

    The file is read without MLflow, which would go on reading a database that was deleted.
    """
    with closing(sqlite3.connect(root / "mlflow.db")) as store:

        def pairs(table: str, run: str) -> list[tuple[object, ...]]:
            query = f"select key, value from {table} where run_uuid = ? order by key"
            return store.execute(query, (run,)).fetchall()

        runs = store.execute(
            "select r.run_uuid, r.name, t.value from runs r join tags k on k.run_uuid = r.run_uuid"
            " and k.key = 'mlops.kind' and k.value = 'pipeline'"
            " join tags t on t.run_uuid = r.run_uuid and t.key = 'mlops.fingerprint'"
        ).fetchall()
        datasets = dict(
            store.execute(
                "select i.destination_id, group_concat(d.digest) from inputs i"
                " join datasets d on d.dataset_uuid = i.source_id group by i.destination_id"
            ).fetchall()
        )
        return {
            fingerprint: (
                name,
                pairs("params", run),
                pairs("latest_metrics", run),
                sorted((datasets.get(run) or "").split(",")),
                _artifact_sizes(root / "mlruns" / run / "artifacts"),
            )
            for run, name, fingerprint in runs
        }


def _artifact_sizes(folder: Path) -> dict[str, int]:
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert len(sizes) > 10, folder
    return sizes


def test_a_deleted_store_is_rebuilt_from_the_history(small: Workspace) -> None:
    small.run("mlops", "tracking", "sync")
    publish_graph_runs(small)
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    small.repro()
    small.commit("Learn faster")
    small.run("dvc", "exp", "run", "-n", "forest", "-S", "model=naive_bayes")
    before = published_runs(small.root)
    assert len(before) == 3
    (small.root / "mlflow.db").unlink()
    shutil.rmtree(small.root / "mlruns")
    small.run("mlops", "tracking", "sync", "--all-commits")
    assert published_runs(small.root) == before
    again = json.loads(small.run("mlops", "tracking", "sync", "--all-commits", "--json").stdout)
    assert [run["is_new"] for run in again["published"]] == [False, False, False]


def test_results_that_dvc_restored_are_published(small: Workspace) -> None:
    assert not (small.root / "mlflow.db").exists()
    assert small.repro() == set()
    small.run("mlops", "tracking", "sync")
    assert len(published_runs(small.root)) == 1


def test_a_dead_server_does_not_stop_the_graph(small: Workspace) -> None:
    dead = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    publish_graph_runs(small)
    small.edit("conf/evaluation/default.yaml", "calibration_bins: 10 ", "calibration_bins: 12 ")
    completed = small.run("dvc", "repro", env=dead)
    assert "http://127.0.0.1:9 does not respond" in completed.stdout + completed.stderr
    small.run("mlops", "tracking", "flush")
    assert len(published_runs(small.root)) == 1
