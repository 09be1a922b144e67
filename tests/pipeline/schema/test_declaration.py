from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.config.groups.data_config import ColumnConfig
from pipeline.errors import ConfigError
from pipeline.schema import Column, Schema
from tests.fixtures.toy_dataset import settings


def test_schema_is_rebuilt_from_its_plain_values() -> None:
    schema = Schema.from_config(settings().data)
    assert Schema.from_dict(json.loads(json.dumps(schema.as_dict()))) == schema


def test_drift_limits_are_those_that_columns_declare() -> None:
    columns = (
        Column("a", "integer", "Int64"),
        Column("b", "integer", "Int64", drift_limit=0.2),
        Column("c", "float", "Float64", drift_limit=0.4),
    )
    assert Schema("made", columns, Schema.from_config(settings().data).target).drift_limits == {"b": 0.2, "c": 0.4}


@pytest.mark.parametrize("checks", [{}, {"isin": []}, {"isin": [1]}, {"isin": {"allowed_values": "ab"}}, {"eq": "a"}])
def test_category_column_without_categories_is_refused(checks: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"checks\.isin: found .*list the categories"):
        declared_column("category", checks)


@pytest.mark.parametrize(
    ("checks", "bounds"),
    [
        ({"ge": 2, "in_range": {"min_value": 0, "max_value": 9}, "lt": 5}, (2, 5)),
        ({"in_range": {"min_value": 0, "max_value": float("inf")}}, (0, None)),
        ({"ge": "a", "le": True}, (None, None)),
    ],
)
def test_column_has_the_narrowest_declared_bounds(checks: dict[str, Any], bounds: tuple[Any, Any]) -> None:
    column = declared_column("Int64", checks)
    assert (column.minimum, column.maximum) == bounds


def declared_column(dtype: str, checks: dict[str, Any]) -> Column:
    data = settings().data
    name, entry = next((name, entry) for name, entry in data.columns.items() if entry.dtype == "Int64")
    columns = {name: entry.model_copy(update={"checks": checks, "dtype": dtype})}
    (column,) = Schema.from_config(data.model_copy(update={"columns": columns})).columns
    return column


@pytest.mark.parametrize(
    ("dtype", "bound", "match"),
    [
        (
            "Int64",
            2**63,
            r"data\.columns\.\w+\.checks: the bound 9223372036854775808 exceeds the range of Int64 .*leave it out",
        ),
        ("Int64", -1e30, r"the bound -1e\+30 exceeds"),
        ("Float64", 10**400, r"the bound of 1329 bits exceeds the range of Float64"),
    ],
)
def test_bound_beyond_the_type_of_the_column_is_refused(dtype: str, bound: float, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        declared_column(dtype, {"ge": bound})
    assert declared_column("Float64", {"ge": 2**63}).minimum == 2**63


@pytest.mark.parametrize(
    ("checks", "example", "stand_ins"),
    [
        ({}, None, ("text",)),
        ({"str_length": {"max_value": 3}}, "abc", ("abc",)),
        ({"isin": ["red", "blue"]}, "green", ("red", "blue")),
        ({"str_startswith": "id-"}, None, ("id-",)),
    ],
)
def test_stand_ins_of_a_text_come_from_the_declaration_and_pass_its_checks(
    checks: dict[str, Any], example: str | None, stand_ins: tuple[str, ...]
) -> None:
    column = Column("note", "text", "string", checks=checks, example=example, store="drop")
    assert column.stand_ins == stand_ins


@pytest.mark.parametrize("store", ["bin", "hash", "drop"])
def test_a_private_text_with_checks_needs_an_example_that_passes_them(store: str) -> None:
    data = settings().data
    name, entry = next(iter(data.columns.items()))
    more = {"dtype": "string", "checks": {"str_matches": "^[0-9]{4}$"}, "store": store, "nullable": False}
    with pytest.raises(ConfigError, match=rf"data\.columns\.{name}\.example: found 'x'; expected a made-up text"):
        Schema.from_config(
            data.model_copy(update={"columns": {name: entry.model_copy(update=more | {"example": "x"})}})
        )
    column = {name: entry.model_copy(update=more | {"example": "0000"})}
    assert Schema.from_config(data.model_copy(update={"columns": column})).column(name).stand_ins == ("0000",)


def open_column(**more: Any) -> Column:
    words = {"categories": ("basic", "pro"), "checks": {"isin": ["basic", "pro"]}, "unseen": "other"}
    return Column("plan", "category", "category", **{**words, **more})


@pytest.mark.parametrize("word", ["gold", "PRO", "", "basic"])
def test_an_open_column_accepts_any_word_and_keeps_its_other_checks(word: str) -> None:
    assert open_column().accepts(word)
    assert not open_column(checks={"isin": ["basic", "pro"], "ne": word}).accepts(word)


def test_the_words_of_an_open_column_are_expected_as_an_example() -> None:
    assert open_column().expected == 'a string in quotes, such as "basic"'
    assert open_column(example="pro").expected == 'a string in quotes, such as "pro"'


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "string", "datetime64[us]"])
def test_only_a_category_column_is_open(dtype: str) -> None:
    with pytest.raises(ValueError, match=r"unseen: found other with dtype .*; only a category column lists its words"):
        ColumnConfig(dtype=dtype, unseen="other")  # type: ignore[arg-type]
