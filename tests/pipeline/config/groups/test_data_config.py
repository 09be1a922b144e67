from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.groups.data_config import DataConfig, TargetConfig
from pipeline.config.groups.source_config import CsvDialect, CsvSource, ParquetSource
from tests.fixtures.toy_dataset import settings

DATA = settings().data


def data_with(**changes: Any) -> DataConfig:
    return DataConfig.model_validate({**DATA.model_dump(), **changes})


def test_dialect_is_that_of_a_csv_source_and_the_default_of_any_other() -> None:
    source = CsvSource(kind="csv", path="data/external/rows.csv", delimiter=";", null_values=("", "NA"))
    assert DATA.model_copy(update={"source": source}).csv_dialect == source
    parquet = ParquetSource(kind="parquet", path="data/external/rows.parquet")
    assert DATA.model_copy(update={"source": parquet}).csv_dialect == CsvDialect(delimiter=",", null_values=("",))


@pytest.mark.parametrize(
    "path", ["rows.csv", "data/external/../rows.csv", "/data/external/rows.csv", "data/external/.rows.csv"]
)
def test_file_outside_data_external_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        CsvSource(kind="csv", path=path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("a", "a")}, "occurs twice"),
        ({"classes": ("a", "b"), "positive": None}, "positive: None is not one of a, b"),
        ({"classes": ("a", "b", "c"), "positive": "a"}, "positive: must be null"),
    ],
)
def test_classes_are_unique_and_the_positive_class_is_one_of_two(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TargetConfig.model_validate({"column": "outcome", "positive": None, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unique": ("no_such_column",)}, "unique: no column is named 'no_such_column'"),
        ({"target": {"column": next(iter(DATA.columns)), "classes": ("a", "b"), "positive": "a"}}, "is the target"),
        ({"profile": None}, "profile: is required by the synthetic source"),
    ],
)
def test_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        data_with(**changes)
