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
def run_mlops(project: Path, run_cli: CliRunner) -> Callable[..., CliRun]:
    """Run a command in a project with a file of 600 rows."""
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (project / "conf").symlink_to(ROOT / "conf")
    pd.DataFrame(make_rows(600)).convert_dtypes().to_parquet(project / "in.parquet", index=False)
    return lambda *words: run_cli(*words, cwd=project)


@pytest.fixture
def run_count(run_mlops: Callable[..., CliRun]) -> Callable[..., CliRun]:
    """Run the command itself."""
    return lambda *words: run_mlops("monitor", "count", *words)


def test_files_are_counted_against_training_and_against_counts(run_count: Callable[..., CliRun], project: Path) -> None:
    run = run_count("in.parquet", "-o", "out", "--predict", "--json")
    assert run.exit_code == 0, run.err
    report = json.loads(run.out)
    assert (report["n_rows"], report["reference"]) == (600, "training")
    assert json.loads((project / "out/drift.json").read_text(encoding="utf-8")) == report
    text = run_count("in.parquet", "-o", "again", "--reference", "out")
    assert text.out.splitlines()[0].startswith(f"{project}/again: stable: ")


def test_counts_of_other_rows_are_not_overwritten(run_count: Callable[..., CliRun]) -> None:
    run_count("in.parquet", "-o", "out")
    run = run_count("in.parquet", "-o", "out", "--predict")
    assert (run.exit_code, "has the parts of another job" in run.err) == (6, True)


def test_an_unknown_engine_is_named(run_count: Callable[..., CliRun]) -> None:
    run = run_count("in.parquet", "-o", "out", "--engine", "lokal")
    assert "'lokal' is no engine; known: " in run.err


def test_other_schedulers_give_the_counts_of_the_command(run_mlops: Callable[..., CliRun], project: Path) -> None:
    frame = pd.read_parquet(project / "in.parquet")
    frame.to_parquet(project / "in.parquet", row_group_size=200, index=False)
    run_mlops("monitor", "count", "in.parquet", "-o", "whole")
    run_mlops("parts", "plan", "count", "in.parquet", "-o", "out", "--part-rows", "200")
    for number in "201":
        assert run_mlops("parts", "run", "out", "--index", number).exit_code == 0
    committed = run_mlops("parts", "commit", "out")
    assert committed.out.startswith(f"{project}/out: "), committed.err
    for name in ("counts.json", "drift.json"):
        assert (project / "out" / name).read_bytes() == (project / "whole" / name).read_bytes()


def test_an_output_in_the_input_is_refused(run_count: Callable[..., CliRun]) -> None:
    run = run_count(".", "-o", "out")
    assert (run.exit_code, "lies in the input ." in run.err) == (2, True)
