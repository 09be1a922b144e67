"""Dates as days and parts of the calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipeline.modeling.encoding.date_encoding import CALENDAR_PARTS
from tests.pipeline.modeling.encoding.builders import frame_of, matrix_of, one_column

DATES = ["2024-02-29 06:00", "2025-12-31 18:00", None, "2024-03-01 06:00"]  # Thursday, Wednesday, -, Friday


@given(st.lists(st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2250-01-01")), min_size=1, max_size=20))
@examples(max_examples=10, deadline=None)
def test_the_parts_are_those_of_pandas(dates) -> None:
    moments = np.array(dates, dtype="datetime64[us]")
    parts = pd.DatetimeIndex(moments)
    names = {"day_of_year": "day_of_year", "weekday": "day_of_week"}
    for name, part in CALENDAR_PARTS.items():
        assert part.compute(moments).tolist() == getattr(parts, names.get(name, name)).tolist()


def test_days_come_first_then_the_parts_that_vary() -> None:
    encoder = one_column("datetime").fit(frame_of(DATES, "datetime"))
    assert encoder.feature_names_out_ == ("x", "x=year", "x=month", "x=weekday", "x=hour", "x=day_of_year")
    rows = encoder.transform(frame_of(DATES, "datetime")).tolist()
    assert rows[0] == [0.0, 2024.0, 2.0, 3.0, 6.0, 60.0]
    assert rows[1] == [671.5, 2025.0, 12.0, 2.0, 18.0, 365.0]
    assert np.isnan(rows[2]).all()


@pytest.mark.parametrize(
    ("dates", "names"),
    [
        (["2024-01-01", "2024-01-01"], ("x",)),
        (["2024-01-01", "2024-03-01"], ("x", "x=month", "x=weekday")),  # the day of one year is the number of days
        ([None, None], ("x",)),
    ],
)
def test_a_part_without_new_information_is_left_out(dates, names) -> None:
    assert one_column("datetime").fit(frame_of(dates, "datetime")).feature_names_out_ == names


def test_recurring_parts_become_points_of_a_circle() -> None:
    encode = {"method": "parts", "parts": ["month", "hour"], "cyclic": "always"}
    matrix = matrix_of(["2024-01-01 00:00", "2024-04-01 06:00", "2024-07-01 12:00"], "datetime", encode)
    assert [row[1:] for row in matrix] == [[0, 1, 0, 1], [1, 0, 1, 0], [0, -1, 0, -1]]


def test_days_alone_can_be_declared() -> None:
    assert matrix_of(["2024-01-01", "2024-01-03"], "datetime", "days") == [[0], [2]]


def test_a_private_date_has_levels_of_groups_and_no_parts() -> None:
    dates = pd.date_range("2020-01-01", periods=40, freq="37h").tolist()
    encoder = one_column("datetime", store="bin").fit(frame_of(dates, "datetime"))
    assert encoder.feature_names_out_ == ("x",)
    _, counts = np.unique(encoder.transform(frame_of(dates, "datetime")), return_counts=True)
    assert counts.min() >= 5
