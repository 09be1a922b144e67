from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.schema import Column, Schema, Target
from pipeline.serving.http.json_schemas import features_schema, outcome_schema, tensor_schema
from tests.fixtures.toy_dataset import schema, settings


def schema_of(column: Column) -> Schema:
    return Schema("small", (column,), Target("outcome", ("no", "yes"), "yes"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("size", {"title": "Size of it", "type": ["number", "null"]}),
        ("count", {"title": "count", "type": ["integer", "null"]}),
        ("is_new", {"title": "is_new", "type": ["boolean", "null"]}),
    ],
)
def test_a_feature_has_the_json_type_of_its_kind(name: str, expected: dict[str, object]) -> None:
    assert features_schema(schema())["properties"][name] == expected


def test_declared_checks_bound_the_values_of_a_feature() -> None:
    properties = features_schema(Schema.from_config(settings().data))["properties"]
    assert properties["Stage_fear"]["enum"] == ["No", "Yes", None]
    assert (properties["Time_spent_Alone"]["minimum"], properties["Time_spent_Alone"]["maximum"]) == (0, 11)


def test_a_timestamp_has_a_pattern_without_a_time_zone() -> None:
    assert features_schema(schema())["properties"]["seen_at"]["pattern"].startswith(r"^\d{4}-\d{2}-\d{2}")


def test_the_row_id_and_the_target_may_come_along() -> None:
    properties = features_schema(schema())["properties"]
    extra = schema().accepted_names - set(schema().feature_names)
    assert "row" in extra
    assert {properties[name]["description"] for name in extra} == {
        "A declared column that is no feature; any value is accepted, and ids are returned."
    }


def test_a_feature_that_may_not_be_missing_is_required() -> None:
    column = Column("size", "float", "Float64", nullable=False)
    features = features_schema(schema_of(column))
    assert (features["required"], features["properties"]["size"]["type"]) == (["size"], "number")


def test_unit_description_and_example_are_part_of_the_schema() -> None:
    column = replace(Column("size", "float", "Float64", nullable=True), description="Its size", unit="cm", example=1.5)
    features = features_schema(schema_of(column))
    assert features["properties"]["size"]["description"] == "Its size. Unit: cm"
    assert features["examples"] == [{"size": 1.5}]


def test_an_outcome_is_a_class_of_the_target() -> None:
    assert outcome_schema(schema())["properties"]["outcome"] == {"type": "string", "enum": ["no", "yes"]}
    assert outcome_schema(None)["properties"]["outcome"] == {"type": "string"}


def test_a_tensor_is_named_after_a_declared_column() -> None:
    names = tensor_schema(schema())["properties"]["name"]["enum"]
    assert names[:6] == ["size", "count", "colour", "is_new", "seen_at", "note"]
    assert sorted(names[6:]) == sorted(schema().accepted_names - set(schema().feature_names))


def test_the_words_of_a_column_that_accepts_others_are_examples() -> None:
    declared = schema()
    words = tuple(f"w{number}" for number in range(60))
    column = Column("plan", "category", "category", nullable=True, categories=words, checks={"isin": list(words)})
    features = features_schema(replace(declared, columns=(column,)))["properties"]
    assert features["plan"]["enum"] == [*words, None]
    opened = features_schema(replace(declared, columns=(replace(column, unseen="other", example="w3"),)))["properties"]
    assert "enum" not in opened["plan"]
    assert opened["plan"]["examples"][:3] == ["w3", "w0", "w1"]
    assert len(opened["plan"]["examples"]) == 50
