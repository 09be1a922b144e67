"""A day of the prediction log is exported as one Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
from sqlalchemy import func, select

from pipeline.serving.files.prediction_export import export_day
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.state import State


def test_a_day_is_exported_with_its_outcomes(logged_state: State, tmp_path: Path) -> None:
    with logged_state.reading() as connection:
        at = connection.execute(select(func.min(predictions.c.predicted_at))).scalar_one()
    day = datetime.fromtimestamp(at / 1e6, UTC).date()
    assert export_day(logged_state, day, tmp_path / "day.parquet") == 5
    exported = pd.read_parquet(tmp_path / "day.parquet")
    assert exported["seq"].tolist() == [1, 2, 3, 4, 5]
    assert exported["outcome"].tolist() == ["Introvert"] * 5
    assert export_day(logged_state, day.replace(year=2000), tmp_path / "none.parquet") == 0
    assert not (tmp_path / "none.parquet").exists()
