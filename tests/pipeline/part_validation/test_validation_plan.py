"""Columns that one part cannot read are left out of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.files import canonical_json, read_json
from pipeline.schema import Schema
from pipeline.validation import validate_rows
from tests.pipeline.part_validation.checked_files import check_in_parts, declare

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = declare(columns={"whole": {"dtype": "Int64"}, "real": {"dtype": "Float64"}})


def make_rows(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"whole": np.arange(100.0), "real": 0.5, "outcome": ["no", "yes"] * 50}).assign(**columns)


def test_a_fraction_in_the_last_part_makes_the_column_unreadable_in_all(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    make_rows(whole=np.where(np.arange(100) == 99, 0.5, 7.0)).to_parquet(path, row_group_size=30)
    whole = validate_rows(path, Schema.from_config(CONFIG.data), CONFIG.validation, name="made")
    assert [check.column for check in whole.skipped_checks] == ["whole"]
    check_in_parts(CONFIG, [path], tmp_path / "out", part_rows=30)
    assert (tmp_path / "out/validation.json").read_text() == canonical_json(whole.as_dict())


def test_a_column_that_one_file_lacks_is_named_with_the_file(tmp_path: Path) -> None:
    make_rows(other=1).to_parquet(tmp_path / "1.parquet")
    make_rows().drop(columns="real").to_parquet(tmp_path / "2.parquet")
    check_in_parts(CONFIG, [tmp_path / "1.parquet", tmp_path / "2.parquet"], tmp_path / "out")
    report = read_json(tmp_path / "out/validation.json")
    assert report["not_evaluated"] == [{"column": "real", "reason": f"is missing in {tmp_path / '2.parquet'}"}]
    assert (report["rows"], report["undeclared_columns"]) == (200, ["other"])


def test_rows_without_any_class_are_refused(tmp_path: Path) -> None:
    config = declare(columns={"whole": {"dtype": "Int64"}}, unlabeled="set_aside")
    make_rows(outcome="other").to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="made: no row has one of the classes no, yes in outcome"):
        check_in_parts(config, [tmp_path / "rows.parquet"], tmp_path / "out")
