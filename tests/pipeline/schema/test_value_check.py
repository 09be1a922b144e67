"""A check of an extension judges values alike in Python, Arrow and Pandera."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.errors import ConfigError, ExtensionFailed
from pipeline.schema import define_value_check
from pipeline.schema.constraints import build_constraints

pytestmark = pytest.mark.usefixtures("extension_tables")


def define_multiple() -> None:
    @define_value_check("multiple", expected="that is a multiple")
    def multiple(value: int, of: int = 2) -> bool:
        return value % of == 0


@pytest.mark.parametrize(
    ("arguments", "accepted"), [(True, [2, 4, 6]), (3, [3, 6]), ({"of": 3}, [3, 6]), ({}, [2, 4, 6])]
)
def test_all_forms_accept_the_same_values(arguments: Any, accepted: list[int]) -> None:
    define_multiple()
    (constraint,) = build_constraints("count", "integer", {"multiple": arguments})
    values = [1, 2, 3, 4, 5, 6]
    assert [value for value in values if constraint.accepts(value)] == accepted
    violations = constraint.violations(pa.array([*values, None], pa.int64()))
    assert violations is not None
    assert [value for value, fails in zip(values, violations, strict=False) if not fails] == accepted
    assert not violations[-1]
    series = pd.Series([*values, None], dtype="Int64")
    passes = constraint.pandera()(series).check_output
    assert passes.index[passes].map(series).tolist() == accepted
    assert constraint.expected == "that is a multiple"


def test_arguments_that_the_function_lacks_make_the_check_inapplicable():
    define_multiple()
    (constraint,) = build_constraints("count", "integer", {"multiple": {"off": 3}})
    assert not constraint.accepts(6)
    assert "cannot be checked" in constraint.expected


def test_an_error_in_the_function_names_the_check():
    define_value_check("broken", expected="that works")(lambda _: 1 / 0)
    (constraint,) = build_constraints("count", "integer", {"broken": True})
    with pytest.raises(ExtensionFailed, match=r"check broken of the extension .*: ZeroDivisionError"):
        constraint.accepts(1)


@pytest.mark.parametrize("name", ["isin", "ge", "unique_values_eq", "multiple"])
def test_a_name_that_exists_is_refused(name: str) -> None:
    define_multiple()
    with pytest.raises(ConfigError, match=f"check {name}: exists already; choose another name"):
        define_value_check(name, expected="that works")(lambda _: True)
