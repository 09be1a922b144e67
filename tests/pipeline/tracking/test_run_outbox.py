"""While the store is unreachable work continues, runs wait in the outbox, and one call sends them."""

from __future__ import annotations

import socket
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable, IntegrityError
from pipeline.tracking import ExperimentTracker, TrackingWarning, run_outbox
from tests.pipeline.tracking.conftest import free_port, server

if TYPE_CHECKING:
    from pathlib import Path


def work(tracker: ExperimentTracker, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("note", encoding="utf-8")
    with tracker.start_run("outer", tags={"team": "red"}):
        tracker.log_params({"depth": 3})
        tracker.log_artifact(note, "notes")
        note.unlink()
        with tracker.start_run("inner", nested=True):
            tracker.log_metrics({"accuracy": 0.5})


def test_a_dead_server_gives_one_early_warning_for_a_run(tmp_path: Path, dead_address: str) -> None:
    tracker = ExperimentTracker("trials", dead_address, tmp_path, timeout_s=2)
    started = time.monotonic()
    with pytest.warns(TrackingWarning, match=f"{dead_address} does not respond") as warnings:
        work(tracker, tmp_path)
    assert len(warnings) == 1
    assert time.monotonic() - started < 2 + 1


def test_a_silent_server_costs_one_timeout(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        tracker = ExperimentTracker("trials", f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, timeout_s=1)
        started = time.monotonic()
        with pytest.warns(TrackingWarning, match="is unreachable"):
            work(tracker, tmp_path)
    assert time.monotonic() - started < 2.5


def test_a_pending_run_is_sent_completely(root: Path, tmp_path: Path, dead_address: str) -> None:
    with pytest.warns(TrackingWarning):
        work(ExperimentTracker("trials", dead_address, root, timeout_s=1), tmp_path)
    back = ExperimentTracker("trials", root=root)
    run_outbox.send_pending_runs(back.store, root)
    inner, outer = back.search_runs()
    assert (outer.name, outer.status, outer.params) == ("outer", "FINISHED", {"depth": "3"})
    assert (inner.name, inner.status, inner.metrics) == ("inner", "FINISHED", {"accuracy": 0.5})
    assert inner.tags["mlflow.parentRunId"] == outer.run_id
    assert back.store.client().list_artifacts(outer.run_id, "notes")[0].path == "notes/note.txt"
    assert run_outbox.pending_runs(root) == []


def test_an_interrupted_send_creates_no_second_run(root: Path, tmp_path: Path, dead_address: str) -> None:
    with pytest.warns(TrackingWarning):
        work(ExperimentTracker("trials", dead_address, root, timeout_s=1), tmp_path)
    back = ExperimentTracker("trials", root=root)
    second = run_outbox.pending_runs(root)[1]
    lines = second.folder / "operations.jsonl"
    whole = lines.read_text(encoding="utf-8")
    lines.write_text(f"{whole}{{broken\n", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"operations\.jsonl:3"):
        run_outbox.send_pending_runs(back.store, root)
    lines.write_text(whole, encoding="utf-8")
    run_outbox.send_pending_runs(back.store, root)
    assert sorted(run.name for run in back.search_runs()) == ["inner", "outer"]


def test_runs_stay_pending_while_the_store_is_unreachable(tmp_path: Path, dead_address: str) -> None:
    tracker = ExperimentTracker("trials", dead_address, tmp_path, timeout_s=1)
    with pytest.warns(TrackingWarning):
        work(tracker, tmp_path)
    with pytest.raises(DependencyUnavailable, match="does not respond"):
        tracker.search_runs()
    assert len(run_outbox.pending_runs(tmp_path)) == 2


@pytest.mark.usefixtures("starts_processes")
def test_a_server_that_dies_during_a_run_loses_nothing(empty_store: Path, tmp_path: Path) -> None:
    port = free_port()
    tracker = ExperimentTracker("trials", f"http://127.0.0.1:{port}", tmp_path, timeout_s=5)
    with server(empty_store, tmp_path, port):
        run = tracker.start_run("long")
        tracker.log_metric("first", 1.0)
    with pytest.warns(TrackingWarning, match="'long'"):
        tracker.log_metric("second", 2.0)
    tracker.end_run()
    with server(empty_store, tmp_path, port):
        back = ExperimentTracker("trials", tracker.tracking_uri, tmp_path)
        assert run_outbox.send_pending_runs(back.store, tmp_path) == [run.run_id]
        (recorded,) = back.search_runs()
    assert recorded.metrics == {"first": 1.0, "second": 2.0}
    assert recorded.is_finished


def test_a_locked_file_is_an_unreachable_store(root: Path) -> None:
    with closing(sqlite3.connect(root / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        tracker = ExperimentTracker("trials", root=root, timeout_s=1)
        with pytest.warns(TrackingWarning, match="locked"), tracker.start_run("blocked"):
            tracker.log_metric("accuracy", 1.0)
        other.execute("ROLLBACK")
    assert len(run_outbox.pending_runs(root)) == 1


def test_a_run_that_has_not_ended_stays_pending(root: Path, dead_address: str) -> None:
    tracker = ExperimentTracker("trials", dead_address, root, timeout_s=1)
    with pytest.warns(TrackingWarning):
        tracker.start_run("open")
    back = ExperimentTracker("trials", root=root)
    assert run_outbox.send_pending_runs(back.store, root) == []
    assert len(run_outbox.send_pending_runs(back.store, root, unfinished=True)) == 1


@pytest.mark.usefixtures("starts_processes")
def test_a_real_server_stores_runs_models_and_files(tmp_path: Path, server_address: str) -> None:
    from sklearn.linear_model import LogisticRegression

    tracker = ExperimentTracker("trials", server_address, tmp_path)
    with tracker.start_run("remote", tags={"where": "server"}) as run:
        tracker.log_params({"depth": 3})
        tracker.log_metrics({"accuracy": 0.5})
        tracker.log_text("hello", "notes/hello.txt")
        tracker.log_model(LogisticRegression().fit([[0.0], [1.0]], ["a", "b"]), "model")
    (recorded,) = tracker.search_runs({"where": "server"})
    assert (recorded.params, recorded.metrics) == ({"depth": "3"}, {"accuracy": 0.5})
    artifacts = {entry.path for entry in tracker.store.client().list_artifacts(run.run_id)}
    assert artifacts == {"notes"}
    (model,) = tracker.store.client().search_logged_models([tracker.store.experiment_id("trials")])
    assert (model.source_run_id, model.params, model.model_type) == (run.run_id, {"depth": "3"}, "classifier")
    assert not (tmp_path / "mlflow.db").exists()
