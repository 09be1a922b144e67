from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema.intervals import MAX_INT64, MIN_INT64, Bound, Interval, closed_interval, parse_moment

if TYPE_CHECKING:
    from pipeline.schema import ColumnKind

BOUNDS = st.builds(
    Bound,
    st.sampled_from(["lower", "upper"]),
    st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans()),
    st.booleans(),
)


@given(st.lists(BOUNDS, max_size=3), st.integers(MIN_INT64, MAX_INT64))
def test_integer_is_in_the_interval_exactly_when_every_bound_admits_it(bounds: list[Bound], value: int) -> None:
    assert closed_interval("integer", bounds).contains(value) is all(bound.admits(value) for bound in bounds)


@given(st.lists(BOUNDS, max_size=3), st.floats(allow_nan=False))
def test_float_is_in_the_interval_exactly_when_every_bound_admits_it(bounds: list[Bound], value: float) -> None:
    assert closed_interval("float", bounds).contains(value) is all(bound.admits(value) for bound in bounds)


@pytest.mark.parametrize(
    ("kind", "bound", "expected"),
    [
        ("integer", Bound("lower", 2.5), Interval(3, None)),
        ("integer", Bound("lower", 2, is_inclusive=False), Interval(3, None)),
        ("integer", Bound("upper", 2**70), Interval(None, MAX_INT64)),
        ("integer", Bound("lower", -math.inf), Interval()),
        ("float", Bound("lower", 2**53 + 1), Interval(2.0**53 + 2, None)),
        ("float", Bound("upper", 1, is_inclusive=False), Interval(None, math.nextafter(1.0, 0.0))),
        ("datetime", Bound("upper", "2026-01-31"), Interval(None, datetime.fromisoformat("2026-01-31"))),
    ],
)
def test_ends_are_the_nearest_values_of_the_kind(kind: ColumnKind, bound: Bound, expected: Interval) -> None:
    assert closed_interval(kind, [bound]) == expected


@pytest.mark.parametrize(
    ("kind", "bound"),
    [
        ("integer", Bound("lower", 2**63)),
        ("integer", Bound("upper", math.nan)),
        ("float", Bound("lower", math.inf, is_inclusive=False)),
        ("datetime", Bound("lower", "9999-12-31T23:59:59.999999", is_inclusive=False)),
    ],
)
def test_bound_that_no_value_is_within_gives_an_empty_interval(kind: ColumnKind, bound: Bound) -> None:
    interval = closed_interval(kind, [bound])
    assert interval.low > interval.high


@pytest.mark.parametrize(("kind", "value"), [("integer", "1"), ("float", None), ("datetime", 5), ("datetime", "2026")])
def test_bound_of_another_type_is_refused(kind: ColumnKind, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"."):
        closed_interval(kind, [Bound("lower", value)])


def test_moment_with_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has a time zone"):
        parse_moment("2026-01-31T00:00:00+01:00")


def test_infinite_and_boolean_bounds_are_not_published() -> None:
    assert [Bound("lower", value).is_finite_number for value in (1, 2.5, True, math.inf, math.nan, "1")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert Bound("upper", 1, is_inclusive=False).json_keyword == "exclusiveMaximum"
