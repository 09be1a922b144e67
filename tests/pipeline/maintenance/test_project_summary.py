"""A summary lists rows, metrics and next commands; without a run it names the command to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError
from pipeline.maintenance.project_summary import ProjectSummary, SummaryMetric, summarize_project

if TYPE_CHECKING:
    from pathlib import Path


def _summary(*, onnx: bool = True) -> ProjectSummary:
    return ProjectSummary(
        problem="small",
        model="forest",
        digest="0123456789abcdef",
        n_rows_by_part={"raw": 1200, "quarantined": 0, "train": 960, "test": 240},
        quality_score=97.25,
        warnings=("missing",),
        metrics=(
            SummaryMetric(name="log_loss", value=0.25, low=0.2, high=0.3, reason=None, baselines={"majority": 0.6}),
            SummaryMetric(
                name="roc_auc", value=None, low=None, high=None, reason="not defined on these rows", baselines={}
            ),
        ),
        confidence=0.95,
        is_onnx=onnx,
        registration="toy_model version 1 (1.0.0), stage Production",
    )


def test_the_text_has_rows_metrics_and_next_commands() -> None:
    text = _summary().as_text()
    assert "small: 1,200 rows, quality 97.2 of 100, warnings: missing" in text
    assert "log_loss    0.2500  [0.2000, 0.3000]   (majority 0.6000)" in text
    assert "roc_auc     -  [no interval: not defined on these rows]\n" in text
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in text


def test_the_text_names_the_serving_form() -> None:
    assert "served by ONNX" in _summary().as_text()
    assert "served by scikit-learn" in _summary(onnx=False).as_text()


def test_a_project_without_a_run_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `make run` or `dvc repro`"):
        summarize_project(tmp_path)
