"""Locks that block DVC are found; those of ended processes are removed, those of living ones are left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.maintenance.dvc_locks import check_repository_lock, check_running_stages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITING = "import sys; sys.stdin.read()"


def hold(root: Path, content: str) -> Path:
    path = root / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    return path


def notes(*readers: int, writer: int | None = None) -> dict[str, Any]:
    write = {} if writer is None else {"models": {"pid": writer, "cmd": "dvc repro"}}
    return {"read": {"data": [{"pid": pid, "cmd": "dvc repro"} for pid in readers]}, "write": write}


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@contextmanager
def living(*words: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE) as process:
        yield process.pid


@pytest.fixture
def dvc(tmp_path: Path) -> Iterator[int]:
    """A living process that looks like DVC."""
    program = tmp_path / "bin/dvc"
    program.parent.mkdir()
    program.write_text(WAITING, encoding="utf-8")
    with living(str(program)) as pid:
        yield pid


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"read": {"data": [7]}}',
        '{"write": {"x": {}}}',
        '{"lock": {}}',
        '{"data": {"write": {"pid": 1, "cmd": "dvc repro"}}}',
        '{"write": {"x": {"pid": "1", "cmd": "dvc repro"}}}',
        '{"write": {"x": {"pid": 1.5, "cmd": "dvc repro"}}}',
        "\x00\x00",
    ],
)
def test_a_damaged_lock_is_removed(tmp_path: Path, content: str) -> None:
    path = hold(tmp_path, content)
    assert check_running_stages(tmp_path, repair=True).state == "repaired"
    assert not path.exists()


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("as_writer", [False, True])
def test_the_lock_of_a_dead_process_is_removed(tmp_path: Path, as_writer: bool) -> None:
    pid = ended_process()
    path = hold(tmp_path, json.dumps(notes(writer=pid) if as_writer else notes(pid)))
    assert check_running_stages(tmp_path, repair=True).state == "repaired"
    assert not path.exists()


def test_a_dry_run_only_names_the_problem(tmp_path: Path) -> None:
    path = hold(tmp_path, "")
    assert check_running_stages(tmp_path, repair=False).state == "problem"
    assert path.exists()


@pytest.mark.usefixtures("starts_processes")
def test_the_lock_of_a_living_dvc_is_left_alone(tmp_path: Path, dvc: int) -> None:
    path = hold(tmp_path, json.dumps(notes(dvc)))
    diagnosis = check_running_stages(tmp_path, repair=True)
    assert (diagnosis.state, f"held by {dvc}" in diagnosis.detail) == ("ok", True)
    assert path.exists()


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize(
    "words", [("-c", WAITING), ("-c", WAITING, "rows.csv.dvc"), ("-c", WAITING, "/srv/dvc-project")]
)
def test_the_lock_that_names_a_living_foreign_process_is_removed(tmp_path: Path, words: tuple[str, ...]) -> None:
    with living(*words) as pid:
        path = hold(tmp_path, json.dumps(notes(pid)))
        assert check_running_stages(tmp_path, repair=True).state == "repaired"
    assert not path.exists()


@pytest.mark.usefixtures("starts_processes")
def test_the_lock_is_older_than_the_dvc_with_its_reused_id(tmp_path: Path, dvc: int) -> None:
    path = hold(tmp_path, json.dumps(notes(dvc)))
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    assert check_running_stages(tmp_path, repair=True).state == "repaired"


@pytest.mark.usefixtures("starts_processes")
def test_the_notes_of_a_living_dvc_stay_beside_those_of_a_dead_one(tmp_path: Path, dvc: int) -> None:
    path = hold(tmp_path, json.dumps(notes(dvc, writer=ended_process())))
    assert check_running_stages(tmp_path, repair=True).state == "repaired"
    assert json.loads(path.read_text(encoding="utf-8")) == notes(dvc)


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write("4711")
file.flush()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("starts_processes")
def test_a_held_repository_lock_is_a_problem_that_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / ".dvc/tmp/lock"
    path.parent.mkdir(parents=True)
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        diagnosis = check_repository_lock(tmp_path, repair=True)
        process.communicate("")
    assert (diagnosis.state, "id 4711" in diagnosis.detail) == ("problem", True)
    assert check_repository_lock(tmp_path, repair=True).state == "ok"


def test_a_repository_lock_that_was_never_taken_is_free(tmp_path: Path) -> None:
    assert check_repository_lock(tmp_path, repair=True).state == "ok"
