"""Counted rows get the verdicts of the monitor, against the training rows or other counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.monitoring import FrameWindowView
from pipeline.monitoring.counting import CountedDrift
from pipeline.monitoring.model_monitor import mean_importance
from pipeline.storage import StoragePath
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.counting.counted_files import scored_frame

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tests.pipeline.monitoring.counting.counted_files import Counted


@pytest.fixture
def shifted(counted: Counted, tmp_path: Path) -> pd.DataFrame:
    """Rows with one shifted feature, in the file `in.parquet`."""
    frame = scored_frame(counted.package, 600)
    name = frame.columns[0]
    frame = frame.assign(**{name: (frame[name] + 4).clip(upper=11)})
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    return frame


def test_counted_rows_get_the_verdicts_of_the_monitor(counted: Counted, shifted: pd.DataFrame, tmp_path: Path) -> None:
    counted.count(tmp_path / "in.parquet", output=tmp_path / "out", predicts=True)
    report = CountedDrift.open(counted.package, settings(), reference=None).report(StoragePath.parse(tmp_path / "out"))
    view = FrameWindowView("m", counted.package, settings(), frame=shifted, importance=mean_importance(counted.package))
    assert report["findings"] == view.drift.as_dict()["findings"]
    assert (report["drift_detected"], report["reference"]) == (True, "training")
    assert shifted.columns[0] in report["drifted_features"]
    assert json.loads((tmp_path / "out/drift.json").read_text(encoding="utf-8")) == report


def test_rows_are_stable_against_their_own_counts(counted: Counted, shifted: pd.DataFrame, tmp_path: Path) -> None:
    counted.count(tmp_path / "in.parquet", output=tmp_path / "reference")
    counted.count(tmp_path / "in.parquet", output=tmp_path / "out")
    drift = CountedDrift.open(counted.package, settings(), reference=str(tmp_path / "reference"))
    report = drift.report(StoragePath.parse(tmp_path / "out"))
    assert (report["verdict"], report["n_reference"], report["n_rows"]) == ("stable", len(shifted), len(shifted))


def test_a_column_that_the_reference_lacks_is_named(counted: Counted, shifted: pd.DataFrame, tmp_path: Path) -> None:
    shifted.drop(columns=shifted.columns[1]).to_parquet(tmp_path / "fewer.parquet", index=False)
    counted.count(tmp_path / "fewer.parquet", output=tmp_path / "reference")
    counted.count(tmp_path / "in.parquet", output=tmp_path / "out")
    drift = CountedDrift.open(counted.package, settings(), reference=str(tmp_path / "reference"))
    findings = drift.report(StoragePath.parse(tmp_path / "out"))["findings"]
    verdicts = {finding["column"]: finding["verdict"] for finding in findings}
    assert verdicts[shifted.columns[1]] == "not_evaluated"
