"""Kills, a full disk and damaged files: the next run gives the identical result, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Literal

import psutil
import pytest

from tests.fixtures.proof import is_long, proof_rounds
from tests.fixtures.workspace import STAGES

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


Victim = Literal["group", "parent", "stage"]

VICTIMS: tuple[Victim, ...] = ("group", "parent", "stage")
# `--proof=long` kills the whole graph, and each stage by itself, in each of the three ways.
KILLS = proof_rounds(1, long=3)
KILLED_STAGES = STAGES if is_long() else ("train", "register")


def kill(process: subprocess.Popen[str], victim: Victim) -> None:
    """Kill -9 the whole group, DVC alone, or the stage alone (whatever runs below DVC)."""
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "parent":
        process.kill()
    else:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    process.communicate(timeout=120)


def wait_for_stage(process: subprocess.Popen[str], stage: str) -> None:
    """Read what DVC prints until a stage starts."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"Running stage '{stage}'"):
            return
    raise AssertionError(f"the stage {stage} did not start")


def no_half_written_output(project: Workspace) -> bool:
    """Whether each existing output can be read (JSON parses, Parquet opens, a package loads)."""
    from pipeline import files, package

    for path in project.root.glob("data/*.parquet"):
        files.read_parquet(path)
    for path in (*project.root.glob("metrics/*.json"), *project.root.glob("reports/*.json")):
        files.read_json(path)
    candidate = project.root / "models/candidate"
    if candidate.exists():
        package.load_package(candidate)
    return True


# Without DVC's cache of earlier runs every stage really runs again.
FRESH = ("dvc", "repro", "--force", "--no-run-cache")
WHOLE_GRAPH = "whole graph"


# About how long a stage of the small project takes with the start of its process.
STAGE_S = 3.0


@pytest.fixture(scope="module")
def killed_project(finished_small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace that the kills share: each of them leaves the outputs as they were."""
    return finished_small.copy(tmp_path_factory.mktemp("killed") / "project")


@pytest.mark.xdist_group("crash_recovery")
@pytest.mark.parametrize("killed", [WHOLE_GRAPH, *KILLED_STAGES])
def test_a_kill_at_any_moment_changes_nothing_in_the_end(
    killed_project: Workspace, finished_small: Workspace, killed: str
) -> None:
    project, place = killed_project, (WHOLE_GRAPH, *STAGES).index(killed)
    command = FRESH if killed == WHOLE_GRAPH else (*FRESH, "--single-item", killed)
    moments = random.Random(killed)
    for victim in [VICTIMS[(place + number) % len(VICTIMS)] for number in range(KILLS)]:
        process = project.start(*command, PYTHONUNBUFFERED="1")
        wait_for_stage(process, moments.choice(STAGES) if killed == WHOLE_GRAPH else killed)
        time.sleep(moments.uniform(0.0, STAGE_S))
        kill(process, victim)
        assert no_half_written_output(project)
        project.run("mlops", "doctor")
        project.run("dvc", "repro")
        assert project.outputs() == finished_small.outputs()


@pytest.mark.xdist_group("crash_recovery")
def test_after_the_kills_every_checksum_is_correct(killed_project: Workspace) -> None:
    assert killed_project.run("mlops", "verify").returncode == 0


def test_a_stage_whose_parent_died_does_not_overwrite_later_results(small: Workspace) -> None:
    process = small.start(*FRESH, "--single-item", "train")
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if line.startswith("[train]"):
                break
        orphans = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        gone, alive = psutil.wait_procs(orphans, timeout=10)
        process.wait()
    assert (len(gone) > 0, alive) == (True, [])


def test_a_full_disk_is_named_and_earlier_outputs_stay(small: Workspace) -> None:
    before = small.outputs()
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.07")
    small.run("dvc", "repro", "compose")
    # The kernel refuses files above this size, as a full disk would, once the package is written.
    limited = "ulimit -f 4; exec python -m stages.train -cd . -cn params"
    completed = subprocess.run(
        ["bash", "-c", limited], cwd=small.root, env=small.environment(), capture_output=True, text=True, check=False
    )
    assert completed.returncode == 7, completed.stderr
    assert "File too large" in completed.stderr
    assert "Traceback" not in completed.stderr
    small.run("git", "checkout", ".")
    small.repro()
    assert small.outputs() == before


@pytest.mark.parametrize("content", ["", '{"write": {}, "read": {"data": [{"pid": 4194303, "cmd": "dvc repro"}]}}'])
def test_the_doctor_repairs_a_lock_that_blocks_dvc(small: Workspace, content: str) -> None:
    lock = small.root / ".dvc/tmp/rwlock"
    lock.write_text(content, encoding="utf-8")
    diagnoses = json.loads(small.run("mlops", "doctor", "--json").stdout)
    assert [diagnosis["state"] for diagnosis in diagnoses if diagnosis["check"] == "dvc locks"] == ["repaired"]
    assert small.repro() == set()


def test_a_flipped_byte_in_the_cache_is_found_before_it_comes_back(small: Workspace) -> None:
    md5 = small.outputs()["data/train.parquet"]
    cached = small.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 1
    cached.unlink()  # a hard link: other workspaces have the same file
    cached.write_bytes(bytes(content))
    verification = json.loads(small.run("mlops", "verify", "--json", expect=8).stdout)
    assert [finding["location"] for finding in verification["findings"]] == ["cache"]


def test_every_stage_is_in_the_graph(small: Workspace) -> None:
    listed = small.run("dvc", "stage", "list", "--name-only").stdout.split()
    assert tuple(listed) == STAGES


def test_a_stage_that_fails_brings_its_earlier_outputs_back(small: Workspace) -> None:
    before = (small.root / "models/candidate/manifest.json").read_bytes()
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: -1.0")
    message = small.run("dvc", "repro", expect=255).stderr
    assert "learning_rate" in message
    assert (small.root / "models/candidate/manifest.json").read_bytes() == before


def test_settings_that_are_refused_leave_every_output_in_place(small: Workspace) -> None:
    small.edit("conf/training/default.yaml", "folds: 2", "folds: [")
    assert "conf/training/default.yaml" in small.run("dvc", "repro", expect=255).stderr
    small.run("git", "checkout", ".")
    small.run("mlops", "verify")
