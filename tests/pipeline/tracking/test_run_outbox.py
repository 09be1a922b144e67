"""What happens while the store is down: work goes on, nothing is lost, and one call sends it."""

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
    note.write_text("kept", encoding="utf-8")
    with tracker.start_run("outer", tags={"team": "red"}):
        tracker.log_params({"depth": 3})
        tracker.log_artifact(note, "notes")
        note.unlink()
        with tracker.start_run("inner", nested=True):
            tracker.log_metrics({"accuracy": 0.5})


def test_a_dead_server_warns_once_for_a_run_and_soon(tmp_path: Path, dead_address: str) -> None:
    tracker = ExperimentTracker("trials", dead_address, tmp_path, timeout_s=2)
    started = time.monotonic()
    with pytest.warns(TrackingWarning, match=f"{dead_address} does not answer") as warned:
        work(tracker, tmp_path)
    assert len(warned) == 1
    assert time.monotonic() - started < 2 + 1


def test_a_server_that_never_answers_costs_the_timeout_once(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        tracker = ExperimentTracker("trials", f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, timeout_s=1)
        started = time.monotonic()
        with pytest.warns(TrackingWarning, match="not to be had"):
            work(tracker, tmp_path)
    assert time.monotonic() - started < 2.5


def test_what_was_kept_arrives_as_if_the_store_had_been_there(root: Path, tmp_path: Path, dead_address: str) -> None:
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


def test_sending_that_was_cut_short_makes_no_second_run(root: Path, tmp_path: Path, dead_address: str) -> None:
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


def test_sending_to_a_store_that_is_still_down_keeps_everything(tmp_path: Path, dead_address: str) -> None:
    tracker = ExperimentTracker("trials", dead_address, tmp_path, timeout_s=1)
    with pytest.warns(TrackingWarning):
        work(tracker, tmp_path)
    with pytest.raises(DependencyUnavailable, match="does not answer"):
        tracker.search_runs()
    assert len(run_outbox.pending_runs(tmp_path)) == 2


@pytest.mark.usefixtures("starts_processes")
def test_a_server_that_dies_in_the_middle_of_a_run_loses_nothing(empty_store: Path, tmp_path: Path) -> None:
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
        (found,) = back.search_runs()
    assert found.metrics == {"first": 1.0, "second": 2.0}
    assert found.is_finished


def test_a_locked_file_is_a_store_that_is_down(root: Path) -> None:
    with closing(sqlite3.connect(root / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        tracker = ExperimentTracker("trials", root=root, timeout_s=1)
        with pytest.warns(TrackingWarning, match="locked"), tracker.start_run("blocked"):
            tracker.log_metric("accuracy", 1.0)
        other.execute("ROLLBACK")
    assert len(run_outbox.pending_runs(root)) == 1


def test_a_run_that_has_not_ended_waits_for_its_process(root: Path, dead_address: str) -> None:
    tracker = ExperimentTracker("trials", dead_address, root, timeout_s=1)
    with pytest.warns(TrackingWarning):
        tracker.start_run("open")
    back = ExperimentTracker("trials", root=root)
    assert run_outbox.send_pending_runs(back.store, root) == []
    assert len(run_outbox.send_pending_runs(back.store, root, unfinished=True)) == 1


@pytest.mark.usefixtures("starts_processes")
def test_a_real_server_keeps_runs_models_and_files(tmp_path: Path, server_address: str) -> None:
    from sklearn.linear_model import LogisticRegression

    tracker = ExperimentTracker("trials", server_address, tmp_path)
    with tracker.start_run("remote", tags={"where": "server"}) as run:
        tracker.log_params({"depth": 3})
        tracker.log_metrics({"accuracy": 0.5})
        tracker.log_text("hello", "notes/hello.txt")
        tracker.log_model(LogisticRegression().fit([[0.0], [1.0]], ["a", "b"]), "model")
    (found,) = tracker.search_runs({"where": "server"})
    assert (found.params, found.metrics) == ({"depth": "3"}, {"accuracy": 0.5})
    kept = {entry.path for entry in tracker.store.client().list_artifacts(run.run_id)}
    assert kept == {"notes", "model"}
    assert not (tmp_path / "mlflow.db").exists()
