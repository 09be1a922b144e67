from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.schema.intervals import Interval
from pipeline.schema.pandera_checks import interval_check, membership_check, registered_check, text_check

NUMBERS = pd.Series([0, 1, 3, None, 9], dtype="Int64")


def passes(check: Any, series: pd.Series) -> list[bool]:
    return check(series).check_output.tolist()


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(1, 3), [False, True, True, False]),
        (Interval(1, None), [False, True, True, True]),
        (Interval(None, 3), [True, True, True, False]),
        (Interval(1, 0), [False, False, False, False]),
        (Interval(), [True, True, True, True]),
    ],
)
def test_interval_check_ignores_missing_values(interval: Interval, expected: list[bool]) -> None:
    assert passes(interval_check(interval, error="ge"), NUMBERS) == expected


def test_membership_check_may_have_no_members() -> None:
    assert passes(membership_check([], is_allowed=True, error="isin"), NUMBERS) == [False] * 4
    assert passes(membership_check([1, 9], is_allowed=False, error="notin"), NUMBERS) == [True, False, True, False]


def test_text_check_calls_the_predicate_and_refuses_other_types() -> None:
    series = pd.Series(["a", "b", None, 1], dtype="object")
    assert passes(text_check(lambda text: text == "a", error="made"), series) == [True, False, False]


def test_failures_carry_the_declared_name() -> None:
    assert registered_check("key", "between", {"min_value": 0, "max_value": 1}).error == "between"
    assert interval_check(Interval(0, 1), error="between").error == "between"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("isni", [1], "key: is not registered with Pandera; .*did you mean 'isin'"),
        ("isin", 1, "key: found 1; give a list of values"),
        ("ge", {"value": 1}, "key: found {'value': 1}"),
    ],
)
def test_unknown_check_and_wrong_arguments_are_refused(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        registered_check("key", name, arguments)
