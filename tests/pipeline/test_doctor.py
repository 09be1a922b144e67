"""What a kill leaves behind is found, healed on request, and never taken from a living process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline import paths
from pipeline.doctor import Diagnosis, examine
from pipeline.files import exclusive

if TYPE_CHECKING:
    from pathlib import Path


def by_check(root: Path, *, heal: bool) -> dict[str, Diagnosis]:
    return {diagnosis.check: diagnosis for diagnosis in examine(root, heal=heal)}


def hold(root: Path, content: str) -> Path:
    path = root / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    return path


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def noted(pid: int) -> str:
    return json.dumps({"read": {"data": [{"pid": pid, "cmd": "dvc repro"}]}, "write": {}})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"read": {"data": [7]}}'])
def test_a_damaged_lock_is_healed(tmp_path: Path, content: str) -> None:
    path = hold(tmp_path, content)
    assert by_check(tmp_path, heal=True)["dvc locks"].state == "healed"
    assert not path.exists()


def test_the_lock_of_a_dead_process_is_healed(tmp_path: Path) -> None:
    path = hold(tmp_path, noted(ended_process()))
    assert by_check(tmp_path, heal=True)["dvc locks"].state == "healed"
    assert not path.exists()


def test_a_dry_run_only_names_the_problem(tmp_path: Path) -> None:
    path = hold(tmp_path, "")
    assert by_check(tmp_path, heal=False)["dvc locks"].state == "problem"
    assert path.exists()


def test_the_lock_of_a_living_dvc_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", "dvc"], stdin=subprocess.PIPE) as dvc:
        path = hold(tmp_path, noted(dvc.pid))
        assert by_check(tmp_path, heal=True)["dvc locks"].state == "ok"
        assert path.exists()


def test_unfinished_files_are_removed_and_finished_ones_kept(tmp_path: Path) -> None:
    (tmp_path / "models/.candidate.abc.tmp").mkdir(parents=True)
    (tmp_path / "models/candidate").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/.raw.parquet.xyz.tmp").touch()
    assert by_check(tmp_path, heal=True)["leftovers"].state == "healed"
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("[!.]*") if ".dvc" not in path.parts)
    assert left == ["data", "models", "models/candidate"]


def test_a_folder_without_a_commit_is_a_problem(tmp_path: Path) -> None:
    assert by_check(tmp_path, heal=True)["git"].state == "problem"


def test_the_unfinished_file_of_a_stage_at_work_is_left_alone(tmp_path: Path) -> None:
    unfinished = tmp_path / "data" / ".raw.parquet.x1.tmp"
    unfinished.parent.mkdir()
    unfinished.touch()
    with exclusive(tmp_path / paths.LOCK, what="ingest"):
        assert by_check(tmp_path, heal=True)["leftovers"].state == "ok"
    assert unfinished.exists()
