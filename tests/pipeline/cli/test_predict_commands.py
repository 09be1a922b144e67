"""`mlops predict` scores files, `mlops feedback` records outcomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.storage import StoragePath
from tests.fixtures.registered_project import make_rows, promote
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.data.bad_lines import EMPTY_FIRST_LINES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

    Mlops = Callable[..., str]


@pytest.fixture
def working_folder(project: Path) -> Path:
    """The registered project with its settings and a file of 30 rows."""
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    pd.DataFrame(make_rows(30)).convert_dtypes().to_parquet(project / "in.parquet", index=False)
    return project


@pytest.fixture
def run_mlops(working_folder: Path, run_cli: CliRunner) -> Mlops:
    """Run a command in the project, expect an exit code, and return the output, or the message of the error."""

    def run(*words: str, expect: int = 0) -> str:
        result = run_cli(*words, cwd=working_folder)
        assert result.exit_code == expect, result.err
        return result.err if expect else result.out

    return run


def test_a_file_is_scored_and_logged_and_gets_outcomes(working_folder: Path, run_mlops: Mlops) -> None:
    report = json.loads(run_mlops("predict", "in.parquet", "-o", "out.csv", "--log", "--json"))
    assert (report["rows"], report["resumed"]) == (30, 0)
    scored = pd.read_csv(working_folder / "out.csv")
    outcomes = scored[["prediction_id"]].assign(outcome=scored["prediction"])
    outcomes.to_csv(working_folder / "outcomes.csv", index=False)
    assert json.loads(run_mlops("feedback", "outcomes.csv", "--json")) == {"stored": 30}


def test_an_object_is_scored_to_an_object(working_folder: Path, run_mlops: Mlops, s3_bucket: str) -> None:
    run_mlops("predict", "in.parquet", "-o", "out.parquet")
    bucket = StoragePath.parse(s3_bucket)
    (bucket / "in.parquet").write_bytes((working_folder / "in.parquet").read_bytes())
    out = run_mlops("predict", f"{s3_bucket}/in.parquet", "-o", f"{s3_bucket}/out.parquet")
    assert out.startswith(f"{s3_bucket}/out.parquet: 30 rows scored")
    assert (bucket / "out.parquet").read_bytes() == (working_folder / "out.parquet").read_bytes()


def test_an_invalid_object_is_named_and_writes_nothing(run_mlops: Mlops, s3_bucket: str) -> None:
    bucket = StoragePath.parse(s3_bucket)
    (bucket / "in.csv").write_bytes(b"a,b\n1,2\n")
    assert f"{s3_bucket}/in.csv" in run_mlops("predict", f"{s3_bucket}/in.csv", "-o", f"{s3_bucket}/out.csv", expect=4)
    assert "none.csv: no such file" in run_mlops("predict", f"{s3_bucket}/none.csv", "-o", "out.csv", expect=4)
    assert [entry.path for entry in bucket.list_files()] == [bucket / "in.csv"]


def test_an_outcome_of_an_unknown_prediction_refuses_the_file(working_folder: Path, run_mlops: Mlops) -> None:
    (working_folder / "outcomes.csv").write_text("prediction_id,outcome\nnone,Introvert\n", encoding="utf-8")
    assert "outcomes[0].prediction_id: no such prediction" in run_mlops("feedback", "outcomes.csv", expect=4)


def test_without_a_version_in_production_the_message_names_the_next_command(
    working_folder: Path, run_mlops: Mlops
) -> None:
    promote(working_folder, 1, "Archived")
    assert "mlops promote VERSION" in run_mlops("predict", "in.parquet", "-o", "out.csv", expect=2)
    assert "30 rows scored" in run_mlops("predict", "in.parquet", "-o", "out.csv", "--version", "2")


def test_a_file_that_is_no_csv_is_refused(working_folder: Path, run_mlops: Mlops) -> None:
    assert "outcomes.csv: cannot be read as CSV" in run_mlops("feedback", "outcomes.csv", expect=2)
    (working_folder / "outcomes.csv").write_bytes(b"\xff\xfe")
    assert "outcomes.csv: cannot be read as CSV" in run_mlops("feedback", "outcomes.csv", expect=2)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"\nprediction_id,outcome\na,b\n", "outcomes.csv:1: found an empty line"),
        (b"\n" * 50, "outcomes.csv:1: found an empty line"),
        (b"", "outcomes.csv:1: found an empty line"),
        (b",,\n", "outcomes.csv:1: found an empty line"),
        (b"id;outcome\n1;2\n", "outcomes.csv:1: found the names id;outcome"),
        (b"prediction_id,outcome\na,b,c\n", "outcomes.csv:2: has more fields"),
    ],
)
def test_outcomes_without_a_header_are_refused_with_their_line(
    working_folder: Path, run_mlops: Mlops, content: bytes, place: str
) -> None:
    (working_folder / "outcomes.csv").write_bytes(content)
    assert place in run_mlops("feedback", "outcomes.csv", expect=4)


@pytest.mark.parametrize("content", list(EMPTY_FIRST_LINES.values()), ids=list(EMPTY_FIRST_LINES))
def test_a_file_with_an_empty_first_line_is_refused_by_its_place(
    working_folder: Path, run_mlops: Mlops, content: bytes
) -> None:
    (working_folder / "in.csv").write_bytes(content)
    assert "in.csv:1:" in run_mlops("predict", "in.csv", "-o", "out.csv", expect=4)


def test_the_chunk_size_does_not_change_the_output(working_folder: Path, run_mlops: Mlops) -> None:
    first = json.loads(run_mlops("predict", "in.parquet", "-o", "out.csv", "--chunk-rows", "7", "--json"))
    content = (working_folder / "out.csv").read_bytes()
    again = json.loads(run_mlops("predict", "in.parquet", "-o", "again.csv", "--json"))
    assert (working_folder / "again.csv").read_bytes() == content
    assert first["rows"] == again["rows"] == 30
