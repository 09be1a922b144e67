"""A project after the split stage, as input of the train stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data import sources
from pipeline.data.splitters import split_train_test
from pipeline.project import paths
from pipeline.schema import Schema
from tests.fixtures.toy_dataset import FAST, ROOT

if TYPE_CHECKING:
    import pytest

DVC_ARGUMENTS = ["-cd", ".", "-cn", "params"]


def write_project(data: str = "personality") -> None:
    """Write params.yaml, the fingerprint of the source, train and test rows into the current folder."""
    values = compose([*FAST, f"data={data}"], conf=ROOT / "conf").values
    if values["data"]["source"]["kind"] == "synthetic":
        values["data"]["source"]["rows"] = 400
    files.write_text(paths.PARAMS, json.dumps(values))  # JSON is YAML and preserves the order of columns
    config = build_config(values, where="conf")
    fetched = sources.fetch_rows(config.data, root=Path())
    split = split_train_test(fetched.frame, Schema.from_config(config.data), config.data.split, seed=config.seed)
    files.write_json(paths.SOURCE_FINGERPRINT, fetched.fingerprint)
    files.write_parquet(paths.TRAIN_ROWS, split.train)
    files.write_parquet(paths.TEST_ROWS, split.test)


def call_as_dvc(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.setattr("sys.argv", [stage, *DVC_ARGUMENTS])
    # No server listens on port 1: the run waits in the outbox, and no MLflow database is created.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
