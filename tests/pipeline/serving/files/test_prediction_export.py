"""A day of the prediction log is exported as one Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from sqlalchemy import func, select

from pipeline.serving.files.prediction_export import export_day
from pipeline.state.tables import predictions
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from pipeline.state import State


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> StoragePath:
    root = str(tmp_path) if request.param == "local" else request.getfixturevalue("s3_bucket")
    return StoragePath.parse(root) / "days"


def test_a_day_is_exported_with_its_outcomes(logged_state: State, folder: StoragePath) -> None:
    day = _first_day(logged_state)
    assert export_day(logged_state, day, folder / "day.parquet") == 5
    with (folder / "day.parquet").local_copy() as copy:
        exported = pd.read_parquet(copy)
    assert exported["seq"].tolist() == [1, 2, 3, 4, 5]
    assert exported["outcome"].tolist() == ["Introvert"] * 5
    assert export_day(logged_state, day.replace(year=2000), folder / "none.parquet") == 0
    assert [entry.path for entry in folder.list_files()] == [folder / "day.parquet"]


def test_only_this_user_can_read_a_local_file(logged_state: State, tmp_path: Path) -> None:
    path = tmp_path / "days/day.parquet"
    export_day(logged_state, _first_day(logged_state), StoragePath.parse(path))
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent)] == [0o600, 0o700]


def _first_day(state: State) -> date:
    with state.reading() as connection:
        at = connection.execute(select(func.min(predictions.c.predicted_at))).scalar_one()
    return datetime.fromtimestamp(at / 1e6, UTC).date()
