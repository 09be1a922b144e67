"""Each kind of feature has an input widget and an example value."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.views.predictions.form_fields import address_values, example_value, values_of_address
from pipeline.schema import Column
from tests.app.conftest import errors_of

LONG = "a sentence of a customer about a late parcel"
pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind": "integer", "example": 7, "minimum": 1.0}, 7),
        ({"kind": "category", "categories": ("b", "a")}, "b"),
        ({"kind": "integer", "minimum": 1.0}, 1),
        ({"kind": "float", "minimum": 0.5}, 0.5),
        ({"kind": "float", "minimum": 0.5, "nullable": True}, None),
        ({"kind": "float"}, None),
        ({"kind": "text"}, None),
    ],
    ids=str,
)
def test_the_example_is_declared_or_a_category_or_the_minimum(options: dict[str, Any], expected: object) -> None:
    example = example_value(Column("x", dtype="string", **options))
    assert (example, type(example)) == (expected, type(expected))


def _one_field_of_each_kind() -> None:
    import streamlit as st

    from app.views.predictions import form_fields
    from pipeline.schema import Column

    columns = [
        Column("n", "integer", "Int64", minimum=2.0, maximum=9.0, unit="kg", title="Count"),
        Column("f", "float", "Float64", minimum=0.0, maximum=1.0, nullable=True),
        Column("b", "boolean", "boolean", nullable=True),
        Column("c", "category", "string", categories=("red", "blue")),
        Column("t", "text", "string", nullable=True),
        Column("d", "datetime", "datetime64[us]", nullable=True),
        Column("l", "text", "string", example="a sentence of a customer about a late parcel"),
    ]
    first_values = form_fields.values_of_address(columns, st.query_params.get_all("set"))
    values = [form_fields.feature_input(column, first_values[column.name]) for column in columns]
    st.session_state["values"] = values


def test_each_kind_has_its_widget_and_returns_its_example() -> None:
    at = AppTest.from_function(_one_field_of_each_kind, default_timeout=60).run()
    assert errors_of(at) == []
    assert at.session_state["values"] == [2, None, None, "red", None, None, LONG]
    assert [len(at.number_input), len(at.selectbox), len(at.text_input), len(at.text_area)] == [2, 2, 2, 1]


def test_a_number_input_has_the_declared_range_unit_and_help() -> None:
    at = AppTest.from_function(_one_field_of_each_kind, default_timeout=60).run()
    count = at.number_input(key="field_n")
    assert (count.min, count.max, count.step) == (2, 9, 1)
    assert count.label == "Count :gray[kg]"
    assert "From 2 to 9" in count.help
    assert count.help.endswith("Required")
    assert at.number_input(key="field_f").help.endswith("Optional")


def test_an_entered_value_is_returned() -> None:
    at = AppTest.from_function(_one_field_of_each_kind, default_timeout=60).run()
    at.number_input(key="field_f").set_value(0.25)
    at.selectbox(key="field_b").set_value(True)
    at.text_input(key="field_t").set_value("words").run()
    assert at.session_state["values"] == [2, 0.25, True, "red", "words", None, LONG]


def _open_field() -> None:
    import streamlit as st

    from app.views.predictions import form_fields
    from pipeline.schema import Column

    column = Column("plan", "category", "category", categories=("basic", "pro"), unseen="other")
    st.session_state["value"] = form_fields.feature_input(column, form_fields.example_value(column))


def test_a_field_of_an_open_column_takes_another_word() -> None:
    at = AppTest.from_function(_open_field, default_timeout=60).run()
    field = at.selectbox(key="field_plan")
    assert field.proto.accept_new_options
    assert "Another word is accepted" in field.help
    assert at.session_state["value"] == "basic"


def test_the_address_gives_first_values_and_ignores_what_the_column_does_not_allow() -> None:
    at = AppTest.from_function(_one_field_of_each_kind, default_timeout=60)
    at.query_params["set"] = ["n=12", "f=0.5", "b=true", "c=blue", "t=a=b", "d=", "unknown=1", "l"]
    at.run()
    assert errors_of(at) == []
    assert at.session_state["values"] == [2, 0.5, True, "blue", "a=b", None, LONG]


def test_values_of_the_address_are_read_as_written() -> None:
    columns = [
        Column("n", "integer", "Int64", minimum=2.0, maximum=9.0, nullable=True),
        Column("f", "float", "Float64"),
        Column("b", "boolean", "boolean"),
        Column("c", "category", "string", categories=("red", "blue")),
    ]
    values = {"n": 7, "f": 0.1, "b": False, "c": "red"}
    texts = address_values(columns, values)
    assert texts == ["n=7", "f=0.1", "b=false"]
    assert values_of_address(columns, texts) == values
    assert address_values([Column("t", "text", "string")], {"t": "x" * 2000}) == []
