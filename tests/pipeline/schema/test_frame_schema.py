from __future__ import annotations

import pandas as pd
import pytest

from pipeline.errors import UsageError
from pipeline.schema.frame_schema import infer_feature_schema, infer_frame_schema

FRAME = pd.DataFrame(
    {
        "count": [1, 2, 3],
        "size": [0.5, None, 1.5],
        "is_new": [True, False, True],
        "seen_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
        "color": ["red", None, "blue"],
        "outcome": ["no", "yes", "no"],
    }
)


def test_kinds_are_those_of_the_dtypes() -> None:
    schema = infer_frame_schema(FRAME, target="outcome")
    assert [column.kind for column in schema.columns] == ["integer", "float", "boolean", "datetime", "category"]
    assert all(column.nullable and not column.checks for column in schema.columns)


def test_last_column_of_few_categories_is_the_target() -> None:
    assert infer_frame_schema(FRAME, target=None).target.column == "outcome"
    assert infer_frame_schema(FRAME[["count", "size"]], target=None).target.column == "target"


def test_classes_are_those_of_both_frames() -> None:
    other = FRAME.assign(outcome=["maybe", "no", "no"])
    assert infer_frame_schema(FRAME, target="outcome", other=other).target.classes == ("maybe", "no", "yes")


def test_column_of_many_texts_or_of_unhashable_values_is_text() -> None:
    frame = pd.DataFrame(
        {"note": [str(number) for number in range(51)], "tags": [[1]] * 51, "outcome": ["a", "b", "a"] * 17}
    )
    assert [column.kind for column in infer_frame_schema(frame, target="outcome").columns] == ["text", "text"]


def test_feature_schema_lists_categories_and_excludes_times_and_texts() -> None:
    other = FRAME.assign(color=["green", "red", "red"])
    schema = infer_feature_schema(FRAME, target="outcome", other=other)
    assert schema.feature_names == ("count", "size", "is_new", "color")
    assert schema.column("color").categories == ("blue", "green", "red")


@pytest.mark.parametrize(
    ("target", "message"),
    [("color_of", "'color_of' is not a column; the frame has count"), ("same", "needs two classes")],
)
def test_target_without_classes_is_refused(target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        infer_frame_schema(FRAME.assign(same="a"), target=target)
