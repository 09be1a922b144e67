"""Operations on runs survive JSON unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.tracking.run_operations import (
    ArtifactFiles,
    EndRun,
    LoggedDataset,
    MetricPoint,
    ModelFiles,
    RunBatch,
    RunOperation,
    operation_from_dict,
    operation_to_dict,
)


@pytest.mark.parametrize(
    "operation",
    [
        RunBatch({"a": "1"}, (MetricPoint("loss", 0.5, 1_000, 3),), {"kind": "trial"}),
        RunBatch(),
        ArtifactFiles(Path("reports/card.md"), "reports"),
        ArtifactFiles(Path("model")),
        ModelFiles(Path("model"), "model", "classifier", (MetricPoint("loss", 0.5, 1_000),), {"team": "red"}),
        LoggedDataset("rows", "abc", "{}", "training", schema="{}", profile=None),
        EndRun("FINISHED", 2_000),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_an_operation_survives_json(operation: RunOperation) -> None:
    assert operation_from_dict(json.loads(json.dumps(operation_to_dict(operation)))) == operation
