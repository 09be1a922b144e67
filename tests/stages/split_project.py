"""A project whose rows are split, as the train stage finds it."""

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
    """Write params.yaml, the source's fingerprint and both parts below the current folder."""
    values = compose([*FAST, f"data={data}"], conf=ROOT / "conf").values
    if values["data"]["source"]["kind"] == "synthetic":
        values["data"]["source"]["rows"] = 400
    files.write_text(paths.PARAMS, json.dumps(values))  # JSON is YAML, and keeps the order of columns
    config = build_config(values, where="conf")
    sourced = sources.fetch_rows(config.data, root=Path())
    parts = split_train_test(sourced.frame, Schema.from_config(config.data), config.data.split, seed=config.seed)
    files.write_json(paths.SOURCE_FINGERPRINT, sourced.fingerprint)
    files.write_parquet(paths.TRAIN_ROWS, parts.train)
    files.write_parquet(paths.TEST_ROWS, parts.test)


def call_as_dvc(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.setattr("sys.argv", [stage, *DVC_ARGUMENTS])
    # Nobody listens on port 1: the run waits in the outbox, and the store's migrations cost nothing here.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
