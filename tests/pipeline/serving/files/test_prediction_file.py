"""A file of predictions grows table by table, in either format."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.serving.files.prediction_file import PredictionFile

if TYPE_CHECKING:
    from pathlib import Path

TABLES = [pa.table({"id": ["=1+1", "b"], "confidence": [0.5, 1.0]}), pa.table({"id": ["-c"], "confidence": [0.25]})]


def written(path: Path, *, escapes_formulas: bool = False) -> pd.DataFrame:
    is_parquet = path.suffix == ".parquet"
    with closing(PredictionFile(path, is_parquet=is_parquet, group_rows=10, escapes_formulas=escapes_formulas)) as file:
        for table in TABLES:
            file.write(table)
    return pd.read_parquet(path) if is_parquet else pd.read_csv(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_follow_each_other(suffix: str, tmp_path: Path) -> None:
    expected = pd.DataFrame({"id": ["=1+1", "b", "-c"], "confidence": [0.5, 1.0, 0.25]})
    pd.testing.assert_frame_equal(written(tmp_path / f"out{suffix}"), expected, check_dtype=False)


def test_only_csv_escapes_what_a_spreadsheet_would_calculate(tmp_path: Path) -> None:
    assert written(tmp_path / "out.csv", escapes_formulas=True)["id"].tolist() == ["'=1+1", "b", "'-c"]
    assert written(tmp_path / "out.parquet", escapes_formulas=True)["id"].tolist() == ["=1+1", "b", "-c"]
