"""A run ends as KILLED only if its process is gone for certain."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.groups.tracking_config import TrackingConfig
from pipeline.config.hydra_job import SweepPlan
from pipeline.sweeps.hydra_callback import _start_sweep_run
from pipeline.tracking import ExperimentTracker, TrackingWarning, end_abandoned_runs, run_outbox, sync_runs
from pipeline.tracking.run_process import PROCESS_TAG, RunProcess, current_process, mark_abandoned_runs_killed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show the start of a process")
HERE = current_process()


# No system gives a process id this high.
GONE = replace(HERE, pid=2**22 + 1)


# By name: the changes to this process, and whether the result is gone for certain.
PROCESSES: dict[str, tuple[dict[str, Any], bool]] = {
    "this process": ({}, False),
    "a process id that a later process has": ({"started_at": HERE.started_at - 1}, True),
    "another machine": ({"host": "elsewhere", "pid": 2**22 + 1}, False),
    "another container": ({"namespace": "pid:[1]", "pid": 2**22 + 1}, False),
    "an unknown boot": ({"boot": "", "pid": 2**22 + 1}, False),
    "a free process id": ({"pid": 2**22 + 1}, True),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_gone_only_for_certain(name: str) -> None:
    changes, is_gone = PROCESSES[name]
    process = RunProcess.from_tag(replace(HERE, **changes).as_tag())
    assert process is not None
    assert process.is_gone() is is_gone


@pytest.mark.parametrize(
    ("host", "namespace", "is_gone"),
    [
        ("machine 0123", "pid:[4026531836]", True),
        ("machine", "pid:[4026531836]", False),
        ("machine 0123", "pid:[4026532999]", False),
    ],
    ids=["a machine", "a machine without an id", "a container"],
)
def test_a_process_of_an_earlier_boot_is_gone_where_the_machine_is_known(
    host: str, namespace: str, *, is_gone: bool
) -> None:
    here = replace(HERE, host=host, namespace=namespace, boot="second")
    assert replace(here, boot="first").is_gone(here) is is_gone


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"pid": "x"}', "1234"])
def test_another_tag_names_no_process(text: str) -> None:
    assert RunProcess.from_tag(text) is None


def test_runs_of_gone_processes_end_and_others_continue(tracker: ExperimentTracker) -> None:
    tags = {
        "sweep": {"mlops.kind": "sweep", PROCESS_TAG: GONE.as_tag()},
        "trial": {"mlops.kind": "trial", PROCESS_TAG: GONE.as_tag()},
        "running": {},
        "elsewhere": {PROCESS_TAG: replace(GONE, host="elsewhere").as_tag()},
        "foreign": {PROCESS_TAG: "no process"},
    }
    runs = {name: tracker.start_run(name, tags=tags[name], nested=True) for name in tags}
    assert set(end_abandoned_runs(tracker)) == {runs["sweep"].run_id, runs["trial"].run_id}
    assert end_abandoned_runs(tracker) == ()
    status = {run.name: run.status for run in tracker.search_runs()}
    assert status == {
        "sweep": "KILLED",
        "trial": "KILLED",
        "running": "RUNNING",
        "elsewhere": "RUNNING",
        "foreign": "RUNNING",
    }


@pytest.mark.usefixtures("starts_processes")
def test_the_sync_ends_a_run_whose_process_was_killed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrackingConfig(
        experiment="trials",
        uri_env="MLFLOW_TRACKING_URI",
        timeout_s=10,
        publish_graph_runs=True,
        fail_fast=False,
    )
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code = (
        "import os, pathlib, signal; from pipeline.tracking import ExperimentTracker;"
        " ExperimentTracker('trials', root=pathlib.Path('.')).start_run('single'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    tracker = ExperimentTracker("trials", root=root)
    assert [run.status for run in tracker.search_runs()] == ["RUNNING"]
    assert len(sync_runs(root, config).killed_run_ids) == 1
    assert [run.status for run in tracker.search_runs()] == ["KILLED"]


def test_a_run_in_the_outbox_ends_when_its_process_is_gone(root: Path, dead_address: str) -> None:
    offline = ExperimentTracker("trials", dead_address, root, timeout_s=1)
    with pytest.warns(TrackingWarning):
        offline.start_run("killed", tags={PROCESS_TAG: GONE.as_tag()})
    offline.start_run("running", nested=True)
    back = ExperimentTracker("trials", root=root)
    assert len(run_outbox.send_pending_runs(back.store, root)) == 1
    assert [(run.name, run.status) for run in back.search_runs()] == [("killed", "KILLED")]


def test_the_process_of_a_sweep_is_the_one_that_planned_it(tracker: ExperimentTracker) -> None:
    plan = SweepPlan("outputs/sweeps/a", ("seed",), 2, None, "log_loss")
    key = _start_sweep_run(tracker, plan, "iris")
    (run,) = tracker.search_runs({"mlops.kind": "sweep"})
    assert (run.run_id, run.name, run.status) == (key, "sweep over seed on iris", "RUNNING")
    assert RunProcess.from_tag(run.tags[PROCESS_TAG]) == HERE


def test_more_runs_than_a_page_end(tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.tracking.run_process._PAGE_SIZE", 2)
    for number in range(5):
        tracker.start_run(f"run {number}", tags={PROCESS_TAG: GONE.as_tag()}, nested=True)
    assert len(mark_abandoned_runs_killed(tracker.store, "trials")) == 5
