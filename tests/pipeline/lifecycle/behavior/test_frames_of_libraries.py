"""Validation, monitoring, tracking and the log give the same results for frames of every library."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from pipeline import DataValidator, MLOpsPipeline, ModelMonitor
from pipeline.errors import UnsupportedFrame
from pipeline.schema import Schema
from pipeline.tracking.dataset_description import describe_frame
from tests.fixtures.toy_dataset import ROOT, settings
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

CONFIG = settings("data=personality")


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


LIBRARIES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": pl.from_pandas,
    "polars categories": lambda frame: pl.from_pandas(frame).cast({pl.String: pl.Categorical}),
    "pyarrow": to_arrow,
    "reader": lambda frame: to_arrow(frame).to_reader(),
    "DuckDB": lambda frame: duckdb.connect().from_arrow(to_arrow(frame)),
    "Arrow dtypes": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "records": lambda frame: frame.astype(object).where(frame.notna(), None).to_dict("records"),
}
libraries = pytest.mark.parametrize("to_library", LIBRARIES.values(), ids=LIBRARIES.keys())


@pytest.fixture
def project_folder(project: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    return project


@libraries
@pytest.mark.parametrize("schema", [Schema.from_config(CONFIG.data), None], ids=["declared", "inferred"])
def test_a_report_of_validation_does_not_depend_on_the_library(to_library: Any, schema: Schema | None) -> None:
    frame, reference = live_rows(150), live_rows(150, 2)
    validator = DataValidator(schema, CONFIG.validation, target="Personality" if schema is None else None)
    expected = validator.validate_dataset(frame, "rows", reference=reference)
    assert validator.validate_dataset(to_library(frame), "rows", reference=to_library(reference)) == expected


def test_a_report_of_monitoring_does_not_depend_on_the_library(project_folder: Path) -> None:
    mlops = MLOpsPipeline("tries", MODEL_NAME, root=project_folder)
    recent, reference = live_rows(200, 1), live_rows(200, 2)
    expected = mlops.monitor_production_model(recent, reference)
    for name in ("polars categories", "DuckDB", "Arrow dtypes"):
        to_library = LIBRARIES[name]
        assert mlops.monitor_production_model(to_library(recent), to_library(reference)) == expected, name


def test_logged_rows_are_compared_with_a_frame_of_another_library(project_folder: Path) -> None:
    monitor = make_monitor(project_folder)
    write_log(project_folder, live_rows(300, 1), start=NOW - hours_us(1), stop=NOW)
    reference = live_rows(300, 2)
    expected = monitor.detect_data_drift(reference)
    assert (expected["verdict"], expected["n_rows"], expected["n_reference"]) == ("stable", 300, 300)
    assert monitor.detect_data_drift(pl.from_pandas(reference)) == expected


def test_a_prediction_is_logged_with_a_frame_of_one_row(project_folder: Path) -> None:
    monitor = ModelMonitor(MODEL_NAME, root=project_folder)
    row = live_rows(1)[list(production_package(project_folder)[0].schema.feature_names)]
    identifier = monitor.log_prediction("Introvert", row, 0.8, request_id="one")
    # A retry with the same values changes nothing; another value would be a conflict.
    assert monitor.log_prediction("Introvert", pl.from_pandas(row), 0.8, request_id="one") == identifier


@pytest.mark.parametrize(
    "rows", [live_rows(3).to_numpy(), pl.from_pandas(live_rows(3)).lazy(), None], ids=["array", "lazy", "none"]
)
def test_what_is_no_frame_is_refused_by_validation(rows: Any) -> None:
    with pytest.raises(UnsupportedFrame, match=r"rows: found .*; expected a frame with named columns"):
        DataValidator(Schema.from_config(CONFIG.data), CONFIG.validation).validate_dataset(rows, "rows")


def test_a_dataset_of_a_run_is_described_by_its_columns() -> None:
    described = describe_frame(pl.DataFrame({"a": [1], "b": ["x"]}), "rows", context="", source="", digest="")
    assert '"type": "long", "name": "a"' in described.schema
