"""`mlops project`: what each command reports before the first run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.fixture
def empty_project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").touch()
    return tmp_path


@pytest.mark.parametrize("words", [("status",), ("project", "status")])
def test_status_names_the_command_of_the_first_run(
    empty_project: Path, run_cli: CliRunner, words: tuple[str, ...]
) -> None:
    run = run_cli(*words, cwd=empty_project)
    assert (run.exit_code, "dvc repro" in run.err) == (4, True)


@pytest.mark.parametrize("words", [("verify",), ("project", "verify")])
def test_verify_without_a_lock_file_exits_with_code_8(
    empty_project: Path, run_cli: CliRunner, words: tuple[str, ...]
) -> None:
    run = run_cli(*words, cwd=empty_project)
    assert (run.exit_code, "dvc.lock: no such file" in run.err) == (8, True)


def test_doctor_reports_unfinished_files_and_removes_them(empty_project: Path, run_cli: CliRunner) -> None:
    leftover = empty_project / "data/.raw.parquet.1.tmp"
    leftover.parent.mkdir()
    leftover.touch()
    dry = run_cli("doctor", "--dry-run", cwd=empty_project)
    assert (dry.exit_code, "leftovers" in dry.err, leftover.exists()) == (7, True, True)
    diagnoses = json.loads(run_cli("project", "doctor", "--json", cwd=empty_project).out)
    assert not leftover.exists()
    assert len({diagnosis["check"] for diagnosis in diagnoses}) == len(diagnoses)
