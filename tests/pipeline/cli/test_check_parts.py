"""`mlops data check` of folders and patterns gives the findings of the whole."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.cli.check_parts import needs_parts
from pipeline.schema import Schema
from tests.fixtures.toy_dataset import ROOT, settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a folder of Parquet files; one row of each breaks a rule, and the files repeat each other."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    rng = np.random.default_rng(0)
    schema = Schema.from_config(settings().data)
    rows = pd.DataFrame(
        {
            column.name: rng.choice(column.categories, 600) if column.categories else rng.integers(0, 7, 600)
            for column in schema.columns
        }
    )
    rows[schema.target.column] = rng.choice(schema.target.classes, 600)
    rows.loc[7, "Going_outside"] = 99
    (tmp_path / "rows").mkdir()
    for name in ("1.parquet", "2.parquet"):
        rows.to_parquet(tmp_path / "rows" / name, index=False)
    pd.concat([rows, rows], ignore_index=True).to_parquet(tmp_path / "whole.parquet", index=False)
    return tmp_path


@pytest.mark.parametrize("source", ["rows", "rows/*.parquet"])
def test_a_folder_is_checked_as_one_table(project: Path, run_cli: CliRunner, source: str) -> None:
    whole = json.loads(run_cli("data", "check", "whole.parquet", "--json", cwd=project).out)
    run = run_cli("data", "check", source, "--json", "-o", "out", cwd=project)
    assert run.exit_code == 4
    (parts,) = json.loads(run.out)
    assert (parts["ok"], parts["refusals"], parts["warnings"]) == (False, whole[0]["refusals"], whole[0]["warnings"])
    assert parts["not_checked"] == ["split and folds: the stages split and train need all rows in memory"]
    report = json.loads((project / "out/validation.json").read_text())
    assert (report["rows"], report["level"]) == (1_200, "error")


def test_a_table_without_a_problem_is_ok_and_names_what_was_not_checked(project: Path, run_cli: CliRunner) -> None:
    pd.read_parquet(project / "rows/1.parquet").drop(index=7).to_parquet(project / "good.parquet")
    run = run_cli("data", "check", "good.parquet", "--engine", "local", cwd=project)
    assert (run.exit_code, run.out.splitlines()) == (
        0,
        [
            "good.parquet: not checked in parts: split and folds: the stages split and train need all rows in memory",
            "good.parquet: ok",
        ],
    )


def test_rows_without_the_target_are_not_checked_in_parts(project: Path, run_cli: CliRunner) -> None:
    run = run_cli("data", "check", "rows", "--unlabeled", cwd=project)
    assert (run.exit_code, "rows without the target are not checked in parts; run `mlops predict`" in run.err) == (
        2,
        True,
    )


def test_addresses_of_files_alone_need_no_parts(tmp_path: Path) -> None:
    assert not needs_parts(["rows.csv", str(tmp_path / "rows.parquet")])
    assert [needs_parts([address]) for address in (str(tmp_path), "a/*.csv", "s3://rows/a.parquet")] == [True] * 3


def test_a_scheduler_runs_the_parts_of_a_check(project: Path, run_cli: CliRunner) -> None:
    run_cli("data", "check", "rows", "-o", "whole", cwd=project)
    planned = run_cli("parts", "plan", "check", "rows", "-o", "out", cwd=project)
    assert planned.out.startswith(f"{project}/out: 2 parts of 1,200 rows planned")
    for index in (1, 0):
        run_cli("parts", "run", "out", "--index", index, cwd=project)
    committed = run_cli("parts", "commit", "out", cwd=project)
    assert (committed.exit_code, committed.out.splitlines()[-1]) == (0, f"{project}/out: invalid")
    reports = [(project / folder / "validation.json").read_text() for folder in ("whole", "out")]
    assert reports[0] == reports[1]
