from __future__ import annotations

from typing import Any

import pytest

from pipeline.schema import Column
from pipeline.schema.constraint_base import DeclaredCheck, PanderaConstraint, format_value, merge_json_schemas


@pytest.mark.parametrize(
    ("arguments", "expected"), [({"low": 1, "high": 2}, (1, 2)), (3, (3, 9)), ([1, 2], ([1, 2], 9))]
)
def test_mapping_gives_arguments_by_name_and_any_other_value_is_the_only_one(arguments: Any, expected: Any) -> None:
    declared = DeclaredCheck("size", "integer", "made", arguments)
    assert declared.call(lambda low, high=9: (low, high)) == expected


def test_check_that_only_pandera_knows_does_not_apply_to_single_values() -> None:
    column = Column("size", "integer", "Int64", checks={"unique_values_eq": [1], "ge": 0})
    (first, second) = column.constraints
    assert isinstance(first, PanderaConstraint)
    assert column.value_constraints[0].name == second.name == "ge"


def test_of_two_limits_the_narrower_is_published() -> None:
    schemas = [{"minimum": 0, "maximum": 9}, {"exclusiveMinimum": 0}, {"exclusiveMaximum": 12}, {"enum": [1, 2]}]
    assert merge_json_schemas(schemas) == {"exclusiveMinimum": 0, "maximum": 9, "enum": [1, 2]}
    assert merge_json_schemas([{"enum": [1, 2]}, {"enum": [2, 3]}]) == {"enum": [2]}


@pytest.mark.parametrize(("value", "text"), [("a", '"a"'), (True, "true"), (1, "1"), (2.5, "2.5")])
def test_values_are_shown_as_in_json(value: Any, text: str) -> None:
    assert format_value(value) == text
