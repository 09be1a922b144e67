"""The commands that score files, import outcomes and manage the prediction log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli.root_command import app
from pipeline.errors import MlopsError, UsageError
from pipeline.serving import InvalidRequest
from tests.fixtures.registered_project import make_rows, promote
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def working_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    pd.DataFrame(make_rows(30)).convert_dtypes().to_parquet(project / "in.parquet", index=False)
    monkeypatch.chdir(project)
    return project


def run_mlops(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, MlopsError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_file_is_scored_logged_exported_and_gets_outcomes(working_folder: Path) -> None:
    report = json.loads(run_mlops("predict", "in.parquet", "-o", "out.csv", "--log", "--json"))
    assert (report["rows"], report["resumed"]) == (30, 0)
    scored = pd.read_csv(working_folder / "out.csv")
    outcomes = scored[["prediction_id"]].assign(outcome=scored["prediction"])
    outcomes.to_csv(working_folder / "outcomes.csv", index=False)
    assert json.loads(run_mlops("feedback", "outcomes.csv", "--json")) == {"stored": 30}
    today = datetime.now(UTC).date().isoformat()
    run_mlops("log", "export", "--since", "2026-01-01", "--until", "2026-01-02", "-o", "none")
    assert not (working_folder / "none").exists()
    assert sum(json.loads(run_mlops("log", "export", "--since", today, "-o", "days", "--json")).values()) in (0, 30)
    assert run_mlops("log", "prune").strip() == "0 rows removed"
    assert run_mlops("log", "erase", "unknown").strip() == "0 predictions removed"


def test_an_outcome_of_an_unknown_prediction_refuses_the_file(working_folder: Path) -> None:
    (working_folder / "outcomes.csv").write_text("prediction_id,outcome\nnone,Introvert\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"outcomes\[0\]\.prediction_id: no such prediction"):
        run_mlops("feedback", "outcomes.csv")


@pytest.mark.usefixtures("working_folder")
def test_an_invalid_day_is_refused() -> None:
    with pytest.raises(UsageError, match="such as 2026-01-31"):
        run_mlops("log", "export", "--since", "yesterday", "-o", "days")


def test_without_a_production_version_the_message_names_the_command(working_folder: Path) -> None:
    promote(working_folder, 1, "Archived")
    with pytest.raises(UsageError, match="mlops promote VERSION"):
        run_mlops("predict", "in.parquet", "-o", "out.csv")
    assert "30 rows scored" in run_mlops("predict", "in.parquet", "-o", "out.csv", "--version", "2")
