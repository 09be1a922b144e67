"""`mlops monitor count` counts files, prints the drift, and resumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.fixtures.registered_project import make_rows
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner


@pytest.fixture
def run_count(project: Path, run_cli: CliRunner) -> Callable[..., CliRun]:
    """Run the command in a project with a file of 600 rows."""
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (project / "conf").symlink_to(ROOT / "conf")
    pd.DataFrame(make_rows(600)).convert_dtypes().to_parquet(project / "in.parquet", index=False)
    return lambda *words: run_cli("monitor", "count", *words, cwd=project)


def test_files_are_counted_against_training_and_against_counts(run_count: Callable[..., CliRun], project: Path) -> None:
    run = run_count("in.parquet", "-o", "out", "--predict", "--json")
    assert run.exit_code == 0, run.err
    report = json.loads(run.out)
    assert (report["n_rows"], report["reference"]) == (600, "training")
    assert json.loads((project / "out/drift.json").read_text(encoding="utf-8")) == report
    text = run_count("in.parquet", "-o", "again", "--reference", "out")
    assert text.out.splitlines()[0].startswith("again: stable: ")


def test_counts_of_other_rows_are_not_overwritten(run_count: Callable[..., CliRun]) -> None:
    run_count("in.parquet", "-o", "out")
    run = run_count("in.parquet", "-o", "out", "--predict")
    assert (run.exit_code, "has the parts of another job" in run.err) == (6, True)


def test_an_unknown_engine_is_named(run_count: Callable[..., CliRun]) -> None:
    run = run_count("in.parquet", "-o", "out", "--engine", "lokal")
    assert "'lokal' is no engine; known: " in run.err
