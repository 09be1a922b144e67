"""An evaluation is written as plain JSON and as tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.files import canonical_json
from pipeline.metrics import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.evaluation.conftest import PackagedProblem


def test_a_report_is_plain_json(binary: PackagedProblem, three_classes: PackagedProblem) -> None:
    for problem in (binary, three_classes):
        assert json.loads(canonical_json(problem.report.as_dict()))["rows"] == {"train": 400, "test": 300}
        metrics = json.loads(canonical_json(problem.report.dvc_metrics()))
        assert set(metrics) == {*METRICS, "baselines"}


def test_tables_are_written_completely(binary: PackagedProblem, tmp_path: Path) -> None:
    binary.report.write_tables(tmp_path / "plots")
    tables = {path.name: pd.read_csv(path) for path in sorted((tmp_path / "plots").iterdir())}
    assert list(tables) == ["calibration.csv", "confusion.csv", "importance.csv", "lift.csv", "pr.csv", "roc.csv"]
    assert len(tables["confusion.csv"]) == 300
    assert b"\r" not in (tmp_path / "plots/roc.csv").read_bytes()


def test_the_summary_is_one_line(binary: PackagedProblem) -> None:
    assert "\n" not in binary.report.summary
    assert "on 300 rows (majority 0.6931" in binary.report.summary
