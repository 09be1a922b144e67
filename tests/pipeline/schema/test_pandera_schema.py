from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pandera.errors import SchemaErrors

from pipeline.errors import ConfigError
from pipeline.schema import Column, Schema, Target
from pipeline.schema.intervals import Interval
from pipeline.schema.pandera_schema import pandera_schema
from tests.fixtures.toy_dataset import settings

TARGET = Target("outcome", ("no", "yes"), "yes")


def schema_with(unique: tuple[str, ...] | None = None, **keys: Any) -> Schema:
    return Schema("made", (Column("size", "integer", "Int64", **keys),), TARGET, unique)


def test_the_shipped_declaration_becomes_a_pandera_schema_of_its_columns_and_the_target() -> None:
    schema = Schema.from_config(settings().data)
    made = pandera_schema(schema)
    assert list(made.columns) == [*(column.name for column in schema.columns), schema.target.column]
    assert list(pandera_schema(schema, with_target=False).columns) == [column.name for column in schema.columns]


def test_keys_of_other_uses_do_not_reach_pandera() -> None:
    schema = schema_with(checks={"ge": 0}, unit="cm", example=3, drift_limit=0.2, protected=True)
    assert [check.name for check in pandera_schema(schema).columns["size"].checks] == ["greater_than_or_equal_to"]


@pytest.mark.parametrize("arguments", [{"min_value": 0, "max_value": 3}, {"max_value": 3, "min_value": 0}])
def test_arguments_are_given_by_name(arguments: dict[str, int]) -> None:
    (constraint,) = Column("size", "integer", "Int64", checks={"in_range": arguments}).constraints
    assert (constraint.name, constraint.interval) == ("in_range", Interval(0, 3))


@pytest.mark.parametrize(
    ("checks", "match"),
    [
        ({"in_rnage": [0, 1]}, r"data\.columns\.size\.checks\.in_rnage: .*known: .*did you mean 'in_range'\?"),
        ({"in_range": {"min": 0}}, r"data\.columns\.size\.checks\.in_range: found \{'min': 0\}"),
        ({"in_range": {"min_value": 3, "max_value": 0}}, r"data\.columns\.size\.checks\.in_range: found"),
        ({"isin": 3}, r"data\.columns\.size\.checks\.isin: found 3"),
        ({"str_matches": "("}, r"data\.columns\.size\.checks\.str_matches: found '\('"),
        ({"__class__": 1}, r"data\.columns\.size\.checks\.__class__: is not registered with Pandera"),
        ({"from_builtin_check_name": "ge"}, r"from_builtin_check_name: is not registered with Pandera"),
    ],
)
def test_unknown_check_is_refused_with_its_key(checks: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        pandera_schema(schema_with(checks=checks))


def test_all_failures_are_listed_under_their_declared_names() -> None:
    schema = schema_with(checks={"ge": 0, "isin": [1, 2]})
    frame = pd.DataFrame({"size": pd.array([1, -1, None], dtype="Int64"), "outcome": ["no", "maybe", None]})
    with pytest.raises(SchemaErrors) as caught:
        pandera_schema(schema).validate(frame, lazy=True)
    cases = caught.value.failure_cases[["index", "column", "check"]]
    assert sorted(map(tuple, cases.astype(object).to_numpy().tolist())) == [
        (1, "outcome", "isin"),
        (1, "size", "ge"),
        (1, "size", "isin"),
        (2, "outcome", "not_nullable"),
        (2, "size", "not_nullable"),
    ]
