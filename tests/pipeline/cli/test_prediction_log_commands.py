"""`mlops prediction-log` exports, erases and prunes logged predictions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline import state as store
from pipeline.retraining.labeled_snapshot import write_snapshot
from pipeline.schema import Schema
from tests.fixtures.registered_project import make_rows
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.retraining.labeled_log import MODEL, Logged, problem, write_outcomes, write_predictions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    PredictionLog = Callable[..., CliRun]

N_ROWS = 30


@pytest.fixture
def prediction_log(project: Path, run_cli: CliRunner) -> PredictionLog:
    """Run `mlops prediction-log WORDS` in a project with 30 logged predictions of today."""
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    pd.DataFrame(make_rows(N_ROWS)).convert_dtypes().to_parquet(project / "in.parquet", index=False)
    assert run_cli("predict", "in.parquet", "-o", "out.csv", "--log", cwd=project).exit_code == 0
    return lambda *words: run_cli("prediction-log", *words, cwd=project)


def test_export_writes_one_file_a_day(prediction_log: PredictionLog, project: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    n_rows_by_day = json.loads(prediction_log("export", "--since", today, "-o", "days", "--json").out)
    assert sum(n_rows_by_day.values()) in (0, N_ROWS)  # 0 if the day changed in between
    for day, n_rows in n_rows_by_day.items():
        assert len(pd.read_parquet(project / "days" / f"{day}.parquet")) == n_rows


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_flat_export_has_the_rows_of_the_model_in_typed_columns(
    prediction_log: PredictionLog, project: Path, file_format: str
) -> None:
    days = _today_and_tomorrow()
    prediction_log("export", *days, "--flat", "--format", file_format, "-o", "flat")
    read = pd.read_csv if file_format == "csv" else pd.read_parquet
    rows = pd.concat([read(path) for path in sorted((project / "flat").glob(f"*.{file_format}"))])
    assert rows["Time_spent_Alone"].tolist() == pytest.approx(
        pd.read_parquet(project / "in.parquet")["Time_spent_Alone"].astype("float64").tolist(), nan_ok=True
    )
    assert rows["probability_Introvert"].between(0, 1).all()


def test_an_export_is_limited_to_a_version(prediction_log: PredictionLog) -> None:
    days = _today_and_tomorrow()
    n_rows = [
        sum(json.loads(prediction_log("export", *days, "--version", version, "-o", version, "--json").out).values())
        for version in ("1", "2")
    ]
    assert n_rows == [N_ROWS, 0]


def test_a_reference_without_its_test_rows_is_refused(prediction_log: PredictionLog, project: Path) -> None:
    run = prediction_log("export", "--reference", "-o", "flat")
    assert (run.exit_code, "data/test.parquet: are not the test rows of version 1" in run.err) == (4, True)
    assert not (project / "flat").exists()


def _today_and_tomorrow() -> tuple[str, ...]:
    today = datetime.now(UTC).date()
    return ("--since", today.isoformat(), "--until", (today + timedelta(days=1)).isoformat())


def test_export_of_days_without_predictions_writes_no_file(prediction_log: PredictionLog, project: Path) -> None:
    run = prediction_log("export", "--since", "2026-01-01", "--until", "2026-01-02", "-o", "none")
    assert (run.exit_code, run.out) == (0, "no predictions on these days\n")
    assert not (project / "none").exists()


def test_prune_keeps_predictions_within_the_retention_time(prediction_log: PredictionLog) -> None:
    assert prediction_log("prune").out == "0 rows removed\n"


def test_erase_of_an_unknown_subject_removes_nothing(prediction_log: PredictionLog) -> None:
    assert prediction_log("erase", "subject-1").out == "0 predictions removed\n"
    assert json.loads(prediction_log("erase", "subject-1", "--json").out) == {"removed": 0}


def test_erase_names_the_snapshots_that_hold_rows_of_the_subject(prediction_log: PredictionLog, project: Path) -> None:
    state = store.open_state(project)
    write_predictions(state, [Logged(1, subject="ada"), Logged(2)])
    write_outcomes(state, ("p0", "yes", ""), ("p1", "no", ""))
    with state.reading() as connection:
        n_predictions, n_outcomes = store.last_log_numbers(connection)
    wanted = store.LabeledRows(MODEL, until_prediction=n_predictions, until_outcome=n_outcomes)
    write_snapshot(state, Schema.from_config(problem()), wanted, root=project, number=1)
    state.close()
    run = prediction_log("erase", "ada")
    assert run.out == "1 prediction removed\n"
    assert run.err.startswith("data/external/labeled/people_model-1.parquet holds rows of the subject: remove it")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--since", "yesterday"), "mlops: --since 'yesterday': expected a day such as 2026-01-31\n"),
        (("--since", "2026-01-01", "--until", "x"), "mlops: --until 'x': expected a day such as 2026-01-31\n"),
        ((), "mlops: --since is missing: the first day to export, such as 2026-01-31\n"),
        (
            ("--reference", "--until", "2026-01-01"),
            "mlops: --since is missing: the first day to export, such as 2026-01-31\n",
        ),
        (("--since", "2026-01-01", "--format", "xlsx"), "mlops: --format 'xlsx': expected parquet or csv\n"),
    ],
)
def test_an_invalid_day_exits_with_code_2(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], message: str
) -> None:
    run = run_cli("prediction-log", "export", *words, "-o", "days", cwd=model_project)
    assert (run.exit_code, run.err) == (2, message)
