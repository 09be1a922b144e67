"""`mlops project`: what each command reports before the first run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.mark.parametrize("words", [("status",), ("project", "status")])
def test_status_names_the_command_of_the_first_run(tmp_path: Path, run_cli: CliRunner, words: tuple[str, ...]) -> None:
    run = run_cli(*words, cwd=tmp_path)
    assert (run.exit_code, "dvc repro" in run.err) == (4, True)


@pytest.mark.parametrize("words", [("verify",), ("project", "verify")])
def test_verify_without_a_lock_file_exits_with_code_8(
    tmp_path: Path, run_cli: CliRunner, words: tuple[str, ...]
) -> None:
    run = run_cli(*words, cwd=tmp_path)
    assert (run.exit_code, "dvc.lock: no such file" in run.err) == (8, True)


def test_doctor_reports_unfinished_files_and_removes_them(tmp_path: Path, run_cli: CliRunner) -> None:
    leftover = tmp_path / "data/.raw.parquet.1.tmp"
    leftover.parent.mkdir()
    leftover.touch()
    dry = run_cli("doctor", "--dry-run", cwd=tmp_path)
    assert (dry.exit_code, "leftovers" in dry.err, leftover.exists()) == (7, True, True)
    diagnoses = json.loads(run_cli("project", "doctor", "--json", cwd=tmp_path).out)
    assert not leftover.exists()
    assert len({diagnosis["check"] for diagnosis in diagnoses}) == len(diagnoses)
