"""A file that asks for predictions needs every feature; other declared columns may come along, others may not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.scoring_file import read_scoring_file
from pipeline.errors import DataError
from pipeline.schema import Column, Schema, Target

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = Schema(
    "small",
    (
        Column("size", "float", "Float64", checks={"in_range": {"min_value": 0, "max_value": 9}}, minimum=0, maximum=9),
        Column(
            "colour",
            "category",
            "category",
            nullable=True,
            categories=("blue", "red"),
            checks={"isin": ["blue", "red"]},
        ),
        Column("row", "integer", "Int64", unique=True, role="id"),
    ),
    Target("outcome", ("no", "yes"), "yes"),
)
DIALECT = CsvDialect()


def write_csv(folder: Path, text: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "size,colour\n1.5,red\n2.0,\n",
        "colour,size\nred,1.5\n,2.0\n",
        "row,size,colour\n7,1.5,red\n7,2.0,\n",
        "size,outcome,colour\n1.5,,red\n2.0,perhaps,\n",
    ],
)
def test_features_are_read_with_any_other_declared_columns(text: str, tmp_path: Path) -> None:
    frame = read_scoring_file(write_csv(tmp_path, text), SCHEMA, DIALECT).frame
    assert frame is not None
    assert frame["size"].tolist() == [1.5, 2.0]
    assert frame["colour"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("size,colour\n1.5,green\n", [(2, "colour", "isin")]),
        ("size,colour\n99,red\n", [(2, "size", "in_range")]),
        ("size,colour\n,red\n", [(2, "size", "missing")]),
        ("size,colour\n1.5,red\nmany,blue\n", [(3, "size", "float")]),
        ("size,weight\n1.5,2\n", [(1, "2", "header")]),
        ("row,colour\n1,red\n", [(1, "size", "header")]),
        ("size,colour\n1.5,red,3\n", [(2, "3", "fields")]),
    ],
)
def test_problems_name_line_column_and_rule(text: str, places: list[tuple[int, str, str]], tmp_path: Path) -> None:
    rows = read_scoring_file(write_csv(tmp_path, text), SCHEMA, DIALECT)
    assert rows.frame is None
    assert [(problem.line, problem.column, problem.rule) for problem in rows.problems][: len(places)] == places


@pytest.mark.parametrize(("name", "text"), [("rows.csv", "size;colour\n1.5;red\n"), ("rows.parquet", "")])
def test_one_unknown_name_is_a_problem_where_each_feature_may_be_absent(name: str, text: str, tmp_path: Path) -> None:
    schema = replace(SCHEMA, columns=tuple(replace(column, nullable=True) for column in SCHEMA.columns))
    path = tmp_path / name
    if text:
        path.write_text(text, encoding="utf-8")
    else:
        pd.DataFrame({"weight": [1.5]}).to_parquet(path)
    problems = read_scoring_file(path, schema, DIALECT).problems
    assert [(problem.line, problem.column, problem.rule) for problem in problems] == [(1, "1", "header")]


def test_parquet_preserves_other_columns_and_is_checked_by_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"size": [1.0, 2.0], "colour": ["red", None], "row": [5, 6]}).to_parquet(path)
    frame = read_scoring_file(path, SCHEMA, DIALECT).frame
    assert frame is not None
    assert (frame["size"].tolist(), frame["row"].tolist(), "outcome" in frame) == ([1.0, 2.0], [5, 6], False)
    pd.DataFrame({"size": [1.0, 99.0], "colour": ["red", "red"]}).to_parquet(path)
    problems = read_scoring_file(path, SCHEMA, DIALECT).problems
    assert [(problem.line, problem.column, problem.rule) for problem in problems] == [(2, "size", "in_range")]


def test_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match="is no readable Parquet file"):
        read_scoring_file(path, SCHEMA, DIALECT)
