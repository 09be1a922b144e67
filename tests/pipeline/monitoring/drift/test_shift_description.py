"""The description of a shift names what changed, its direction and both values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.monitoring.drift.shift_description import describe_shift
from tests.pipeline.monitoring.drift_fixtures import count_rows, make_reference, sample_rows

if TYPE_CHECKING:
    from pipeline.monitoring.drift.shift_description import DistributionShift

REFERENCE = make_reference()


def describe(frame: pd.DataFrame, column: str, *, is_missing_first: bool = False) -> DistributionShift:
    bins = REFERENCE.column(column)
    training = np.array(bins.finest.counts, dtype=np.int64)
    return describe_shift(
        bins, training, count_rows(REFERENCE, frame).features[column], is_missing_first=is_missing_first
    )


def test_equal_distributions_have_no_notable_change() -> None:
    bins = REFERENCE.column("visits")
    counts = np.array(bins.finest.counts, dtype=np.int64)
    shift = describe_shift(bins, counts, 3 * counts)
    assert (shift.summary, shift.direction) == ("no notable change", "changed")


@pytest.mark.parametrize(("size", "direction", "verb"), [(0.8, "up", "rose"), (-0.8, "down", "fell")])
def test_a_shifted_mean_has_its_direction_and_size(size: float, direction: str, verb: str) -> None:
    shift = describe(sample_rows(20_000, 5, shift=size), "size")
    assert shift.direction == direction
    assert shift.summary.startswith(f"mean {verb} from ")
    assert "(0.8" in shift.summary.partition(" standard deviations")[0] or "(0.7" in shift.summary


def test_a_wider_distribution_with_the_same_mean_has_no_direction() -> None:
    frame = sample_rows(20_000, 5)
    frame["size"] = 3 * frame["size"]
    shift = describe(frame, "size")
    assert shift.direction == "changed"
    assert {"share below the training range", "share above the training range"} <= {
        part.partition(" rose")[0] for part in shift.summary.split("; ")
    }


def test_values_outside_of_training_are_named_by_their_side() -> None:
    frame = sample_rows(1_000, 5)
    frame["visits"] = 500
    summary = describe(frame, "visits").summary
    assert "share above the training range rose from 0% to 100%" in summary
    assert "share below" not in summary


@pytest.mark.parametrize(("is_first", "index"), [(True, 0), (False, -1)])
def test_missing_values_come_first_or_last(*, is_first: bool, index: int) -> None:
    shift = describe(sample_rows(20_000, 5, shift=0.8, missing=0.5), "size", is_missing_first=is_first)
    assert shift.summary.split("; ")[index].startswith("share of missing values rose from ")


def test_the_two_categories_that_changed_most_are_named() -> None:
    frame = sample_rows(1_000, 5)
    frame["plan"] = pd.Series(np.where(np.arange(1_000) < 500, "pro", "plus"), dtype="string")
    parts = describe(frame, "plan").summary.split("; ")
    assert [part.partition(" from")[0] for part in parts] == ["share of 'basic' fell", "share of 'pro' rose"]


def test_undeclared_categories_are_named_even_when_they_are_rare() -> None:
    frame = sample_rows(10_000, 5)
    frame.loc[0, "plan"] = "gold"
    assert "share of undeclared categories rose from 0% to 0.01%" in describe(frame, "plan").summary
