"""`mlops init` as a person runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_the_output_ends_with_the_next_commands(run_cli: CliRunner, tmp_path: Path) -> None:
    run = run_cli("init", "my churn", cwd=tmp_path)
    assert run.exit_code == 0, run.err
    assert run.out.splitlines()[0].startswith("my churn: a project on declarative-mlops ")
    assert run.out.splitlines()[1:] == [
        "next:",
        "  cd 'my churn'",
        '  git add -A && git commit -m "Start the project"',
        "  dvc repro",
    ]


def test_in_the_current_folder_there_is_no_folder_to_change_into(run_cli: CliRunner, tmp_path: Path) -> None:
    assert "  cd " not in run_cli("init", ".", cwd=tmp_path).out
    again = run_cli("init", ".", cwd=tmp_path)
    assert (again.exit_code, "is a project already" in again.err) == (6, True)


def test_json_has_folder_engine_and_draft(run_cli: CliRunner, tmp_path: Path) -> None:
    values = json.loads(run_cli("init", "churn", "--json", cwd=tmp_path).out)
    assert (values["folder"], values["draft"]) == ("churn", None)


@pytest.mark.usefixtures("starts_processes")
def test_rows_that_the_graph_refuses_are_reported_before_the_next_commands(run_cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{row},{'xy'[row % 2]}\n" for row in range(8)))
    run = run_cli("init", "churn", "--from", "rows.csv", "--target", "b", cwd=tmp_path)
    assert run.exit_code == 0, run.err
    assert "the graph refuses these rows:" in run.out
    assert "next: correct the declaration as each refusal asks, then\n  cd churn\n" in run.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "b"], "--target: names a column of a file; add --from FILE"),
        (["--from", "rows.csv"], "--from: the column to predict is missing; add --target COLUMN"),
    ],
)
def test_half_a_problem_is_refused(run_cli: CliRunner, tmp_path: Path, words: list[str], message: str) -> None:
    run = run_cli("init", "churn", *words, cwd=tmp_path)
    assert (run.exit_code, run.err) == (2, f"mlops: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_name_is_not_the_current_folder(run_cli: CliRunner, tmp_path: Path) -> None:
    run = run_cli("init", "", cwd=tmp_path)
    assert (run.exit_code, "FOLDER: is empty" in run.err, list(tmp_path.iterdir())) == (2, True, [])
