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

from tests.fixtures.proof import proof_rounds
from tests.fixtures.workspace import STAGES

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


Victim = Literal["group", "parent", "stage"]

VICTIMS: tuple[Victim, ...] = ("group", "parent", "stage")
# `--proof=long` kills the whole graph, and each stage by itself, in each of the three ways.
KILLS = proof_rounds(1, long=3)


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
# A stage alone is killed as often as the whole graph is: moments inside of a stage are those that matter.
KILLED = [FRESH, *((*FRESH, "--single-item", stage) for stage in STAGES)]


@pytest.mark.parametrize("command", KILLED, ids=["whole graph", *STAGES])
def test_a_kill_at_any_moment_changes_nothing_in_the_end(small: Workspace, command: tuple[str, ...]) -> None:
    place = KILLED.index(command)
    victims = [VICTIMS[(place + nth) % len(VICTIMS)] for nth in range(KILLS)]
    moments = random.Random(" ".join(command))
    started = time.monotonic()
    small.run(*command)
    duration, expected = time.monotonic() - started, small.outputs()
    for victim in victims:
        process = small.start(*command)
        time.sleep(moments.uniform(0.05, 0.95) * duration)
        kill(process, victim)
        assert no_half_written_output(small)
        small.run("mlops", "doctor")
        small.run("dvc", "repro")
        assert small.outputs() == expected
    assert small.run("mlops", "verify").returncode == 0


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
    cached.chmod(0o644)
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 1
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
