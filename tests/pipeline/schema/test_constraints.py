"""Every form of a declared check accepts the same values: Python, Arrow, Pandera, the request decoder, JSON Schema."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.schema import DTYPES, Column, Schema, Target
from pipeline.schema.constraint_base import InapplicableConstraint
from pipeline.schema.failures import find_failures
from pipeline.serving.rows.fast_decoder import FastDecoder
from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.serving_errors import InvalidRequest

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind

TARGET = Target("outcome", ("no", "yes"), "yes")
ARROW_TYPES = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "text": pa.string(),
    "datetime": pa.timestamp("us"),
}

INTEGERS = [0, 1, -1, 2, 3, 7, 2**53, 2**53 + 1, -(2**53) - 1, 2**62 + 1, 2**63 - 1, -(2**63) + 1]
FLOATS = [0.0, -0.0, 0.5, 1.0, 2.5, -2.5, 2.0**53, 2.0**53 + 2, 2.0**63, 1e308, 5e-324, -5e-324, 1.7976931348623157e308]
TEXTS = [
    "",
    " ",
    "a",
    "A",
    "a ",
    " a",
    "ab",
    "abc",
    "a\nb",
    "e\n",
    "é",
    "e\u0301",
    "日本",
    "ß",
    "0",
    "1",
    "true",
    "nan",
    "\U0001f600",
]
MOMENTS = [
    "2026-01-31",
    "2026-01-31T00:00:00",
    "2026-01-31 00:00",
    "2026-01-31T00:00:00.000001",
    "2026-02-01T12:30",
    "0001-01-01",
    "9999-12-31T23:59:59.999999",
]
VALUES: dict[ColumnKind, list[Any]] = {
    "integer": INTEGERS,
    "float": FLOATS,
    "boolean": [True, False],
    "category": TEXTS,
    "text": TEXTS,
    "datetime": MOMENTS,
}
HOSTILE_NUMBERS = [
    *INTEGERS,
    *FLOATS,
    True,
    False,
    2**63,
    2**64,
    -(2**70),
    10**30,
    10**400,
    math.inf,
    -math.inf,
    math.nan,
]
HOSTILE_ARGUMENTS: dict[ColumnKind, list[Any]] = {
    "integer": [*HOSTILE_NUMBERS, "1", "", None],
    "float": [*HOSTILE_NUMBERS, "1", "", None],
    "boolean": [True, False, 0, 1, 1.0, 2, "true", math.nan],
    "category": [*TEXTS, 1, True],
    "text": [*TEXTS, 1, True],
    "datetime": [*MOMENTS, 5],
}
BOUND_NAMES = {"ge": "min_value", "gt": "min_value", "le": "max_value", "lt": "max_value"}
LONG_NAMES = ["greater_than_or_equal_to", "greater_than", "less_than_or_equal_to", "less_than"]
PATTERNS = ["a", "^a$", "a$", r"\w", r"\s", "(a|b)+", "(?i)A", ".", "", "[é-ü]", r"(?=a)ab", r"\d"]


def column_with(kind: ColumnKind, checks: dict[str, Any], *, categories: tuple[str, ...] = ()) -> Column:
    return Column("value", kind, DTYPES[kind], nullable=True, checks=checks, categories=categories)


@st.composite
def range_checks(draw: st.DrawFn, kind: ColumnKind) -> dict[str, Any]:
    argument = st.sampled_from(HOSTILE_ARGUMENTS[kind])
    name = draw(st.sampled_from(["in_range", "between", *BOUND_NAMES, *LONG_NAMES]))
    if name in ("in_range", "between"):
        ends = {"min_value": draw(argument), "max_value": draw(argument)}
        flags = {"include_min": draw(st.booleans()), "include_max": draw(st.booleans())}
        return {name: {**ends, **(flags if draw(st.booleans()) else {})}}
    if name in BOUND_NAMES and draw(st.booleans()):
        return {name: {BOUND_NAMES[name]: draw(argument)}}
    return {name: draw(argument)}


@st.composite
def membership_checks(draw: st.DrawFn, kind: ColumnKind) -> dict[str, Any]:
    argument = st.sampled_from(HOSTILE_ARGUMENTS[kind])
    name = draw(st.sampled_from(["isin", "notin", "eq", "equal_to", "ne", "not_equal_to"]))
    return {name: draw(st.lists(argument, max_size=5)) if name in ("isin", "notin") else draw(argument)}


@st.composite
def text_checks(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(["str_matches", "str_contains", "str_startswith", "str_endswith", "str_length"]))
    if name in ("str_matches", "str_contains"):
        return {name: draw(st.sampled_from(PATTERNS))}
    if name == "str_length":
        length = st.integers(0, 4)
        limits: dict[str, Any] = {"min_value": draw(length), "max_value": draw(length | st.none())}
        return {name: draw(st.sampled_from([limits, {"exact_value": 1}, 2, {"max_value": 1}]))}
    return {name: draw(st.sampled_from(TEXTS))}


@st.composite
def columns(draw: st.DrawFn) -> Column:
    kind: ColumnKind = draw(st.sampled_from(sorted(VALUES)))
    families = [range_checks(kind), membership_checks(kind)]
    checks = draw(st.one_of([*families, text_checks()] if kind in ("category", "text") else families))
    return column_with(kind, checks, categories=tuple(TEXTS) if kind == "category" else ())


def is_refused_by_pandera(column: Column) -> bool:
    """Whether the declaration itself is an error, so that no value is ever checked."""
    try:
        column.constraints[0].pandera()
    except ConfigError:
        return True
    return False


def to_typed_array(kind: ColumnKind, values: list[Any]) -> pa.Array:
    typed = [dt.datetime.fromisoformat(value) for value in values] if kind == "datetime" else values
    array = pa.array(typed, ARROW_TYPES[kind])
    return array.dictionary_encode() if array.type == pa.string() else array


def accepted_by_arrow(column: Column, values: list[Any]) -> list[bool]:
    violations = column.constraints[0].violations(to_typed_array(column.kind, values))
    return [True] * len(values) if violations is None else [not each for each in violations.tolist()]


def accepted_by_pandera(column: Column, values: list[Any]) -> list[bool]:
    array = to_typed_array(column.kind, values)
    dtype = "string" if column.kind == "category" else column.dtype
    frame = pd.DataFrame({"value": pd.array(array.to_pylist(), dtype=dtype)})
    failures = find_failures(frame, Schema("made", (column,), TARGET), with_target=False)
    failed = set(failures.cells["row"]) if not failures.columns else set(range(len(values)))
    return [row not in failed for row in range(len(values))]


def accepted_by_decoder(column: Column, values: list[Any]) -> list[bool]:
    decoder = FastDecoder((column,))
    return [decoder.decode_columns({"value": [value]}, 1) is not None for value in values]


def accepted_by_body_decoder(column: Column, values: list[Any]) -> list[bool]:
    decoder = FastDecoder((column,))
    bodies = [json.dumps({"features": {"value": value}}).encode() for value in values]
    return [decoder.decode_row(body) is not None for body in bodies]


def accepted_by_parser(column: Column, values: list[Any]) -> list[bool]:
    parser = RowParser(Schema("made", (column,), TARGET), max_rows=1)

    def accepts(value: Any) -> bool:
        try:
            parser._parse_row_slowly(json.dumps({"features": {"value": value}}).encode())
        except InvalidRequest:
            return False
        return True

    return [accepts(value) for value in values]


def satisfies(schema: dict[str, Any], value: Any) -> bool:
    tests = {
        "minimum": lambda end: value >= end,
        "exclusiveMinimum": lambda end: value > end,
        "maximum": lambda end: value <= end,
        "exclusiveMaximum": lambda end: value < end,
        "minLength": lambda length: len(value) >= length,
        "maxLength": lambda length: len(value) <= length,
        "enum": lambda members: value in members,
    }
    return all(tests[keyword](limit) for keyword, limit in schema.items())


@given(columns())
@settings(max_examples=150, deadline=None)
def test_all_forms_of_a_check_accept_the_same_values(column: Column) -> None:
    note(f"{column.kind} {column.checks}")
    if is_refused_by_pandera(column):
        return
    (constraint,) = column.constraints
    values = VALUES[column.kind]
    accepted = [constraint.accepts(value) for value in values]
    assert accepted_by_pandera(column, values) == accepted
    if constraint.has_arrow_form:
        assert accepted_by_arrow(column, values) == accepted
    assert accepted_by_decoder(column, values) == accepted
    assert accepted_by_body_decoder(column, values) == accepted
    assert accepted_by_parser(column, values) == accepted
    schema = constraint.json_schema()
    assert all(satisfies(schema, value) for value, passes in zip(values, accepted, strict=True) if passes)


@pytest.mark.parametrize(("name", "accepted"), [("ge", True), ("le", False), ("gt", True), ("lt", False)])
def test_infinity_is_compared_as_a_float(name: str, accepted: bool) -> None:
    column = column_with("float", {name: 2**70})
    assert column.constraints[0].accepts(math.inf) is accepted
    assert accepted_by_arrow(column, [math.inf, 1.0]) == [accepted, not accepted]
    assert accepted_by_pandera(column, [math.inf, 1.0]) == [accepted, not accepted]


def test_half_of_a_surrogate_pair_is_counted_as_one_character() -> None:
    (constraint,) = column_with("text", {"str_length": 1}).constraints
    assert constraint.accepts("\ud800")


@pytest.mark.parametrize(
    ("kind", "checks"),
    [
        ("integer", {"str_matches": "a"}),
        ("integer", {"ge": "a"}),
        ("text", {"ge": 5}),
        ("datetime", {"ge": 5}),
        ("datetime", {"str_length": 3}),
    ],
)
def test_no_value_passes_a_check_that_does_not_fit_its_kind(kind: ColumnKind, checks: dict[str, Any]) -> None:
    column = column_with(kind, checks)
    values = VALUES[kind]
    assert isinstance(column.constraints[0], InapplicableConstraint)
    assert not any(column.constraints[0].accepts(value) for value in values)
    assert not any(accepted_by_decoder(column, values))


@pytest.mark.parametrize("argument", ["2026", "31.01.2026", "2026-01-31T00:00:00+01:00", "Jan 2026"])
def test_a_moment_that_programs_read_differently_is_refused_in_a_declaration(argument: str) -> None:
    for checks in ({"ge": argument}, {"isin": [argument]}):
        with pytest.raises(
            ConfigError, match=r"data\.columns\.value\.checks\.\w+: found .*; write moments as 2026-01-31"
        ):
            column_with("datetime", checks).constraints[0].pandera()
