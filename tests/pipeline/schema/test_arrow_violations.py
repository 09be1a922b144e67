from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.schema.arrow_violations import (
    violations_by_distinct_value,
    violations_of_interval,
    violations_of_membership,
)
from pipeline.schema.intervals import Interval


def test_predicate_runs_once_for_each_distinct_value() -> None:
    calls: list[str] = []

    def accepts(value: str) -> bool:
        calls.append(value)
        return value != "b"

    violations = violations_by_distinct_value(pa.array(["a", "b", None, "b", "a"]), accepts)
    assert violations is not None
    assert (violations.tolist(), sorted(calls)) == ([False, True, False, True, False], ["a", "b"])


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(1, 3), [True, False, False, False, True]),
        (Interval(None, 3), [False, False, False, False, True]),
        (Interval(1, None), [True, False, False, False, False]),
        (Interval(1, 0), [True, True, True, False, True]),
        (Interval(0, 9), None),
        (Interval(), None),
    ],
)
def test_values_outside_the_interval_are_violations(interval: Interval, expected: list[bool] | None) -> None:
    violations = violations_of_interval(pa.array([0, 1, 3, None, 9]), interval)
    assert (None if violations is None else violations.tolist()) == expected


@pytest.mark.parametrize(
    ("members", "is_allowed", "expected"),
    [
        ([0.0, 1.0], True, [False, False, False, True]),
        ([0.0], False, [True, True, False, False]),
        ([5.0], False, None),
        ([], True, [True, True, False, True]),
    ],
)
def test_members_are_compared_as_numbers(members: list[Any], is_allowed: bool, expected: list[bool] | None) -> None:
    violations = violations_of_membership(pa.array([0.0, -0.0, None, 2.5]), members, is_allowed=is_allowed)
    assert (None if violations is None else violations.tolist()) == expected


def test_array_without_values_has_no_violations() -> None:
    empty = pa.array([None, None], pa.int64())
    assert violations_of_interval(empty, Interval(1, 0)) is None
    assert violations_of_membership(empty, [], is_allowed=True) is None
