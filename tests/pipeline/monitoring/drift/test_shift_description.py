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


def describe(frame: pd.DataFrame, column: str) -> DistributionShift:
    bins = REFERENCE.column(column)
    training = np.array(bins.finest.counts, dtype=np.int64)
    return describe_shift(bins, training, count_rows(REFERENCE, frame).features[column])


def test_equal_distributions_have_no_notable_change() -> None:
    bins = REFERENCE.column("visits")
    counts = np.array(bins.finest.counts, dtype=np.int64)
    shift = describe_shift(bins, counts, 3 * counts)
    assert (shift.changes, shift.direction) == ((), "changed")


@pytest.mark.parametrize(("size", "direction", "verb"), [(0.8, "up", "rose"), (-0.8, "down", "fell")])
def test_a_shifted_mean_has_its_direction_and_size(size: float, direction: str, verb: str) -> None:
    shift = describe(sample_rows(20_000, 5, shift=size), "size")
    assert shift.direction == direction
    assert shift.changes[0].startswith(f"mean {verb} from ")


def test_a_wider_distribution_with_the_same_mean_has_no_direction() -> None:
    frame = sample_rows(20_000, 5)
    frame["size"] = 3 * frame["size"]
    shift = describe(frame, "size")
    assert shift.direction == "changed"
    assert {"share below the training range", "share above the training range"} <= {
        part.partition(" rose")[0] for part in shift.changes
    }


def test_values_outside_of_training_are_named_by_their_side() -> None:
    frame = sample_rows(1_000, 5)
    frame["visits"] = 500
    changes = describe(frame, "visits").changes
    assert "share above the training range rose from 0% to 100%" in changes
    assert not any(part.startswith("share below") for part in changes)


def test_missing_values_come_last() -> None:
    shift = describe(sample_rows(20_000, 5, shift=0.8, missing=0.5), "size")
    assert shift.changes[-1].startswith("share of missing values rose from ")


def test_a_mean_has_as_many_digits_as_its_change_needs() -> None:
    training, frame = sample_rows(10_000, 0), sample_rows(2_000, 5, shift=0.5)
    training["size"], frame["size"] = 1e9 + training["size"], 1e9 + frame["size"]
    reference = make_reference(training)
    bins = reference.column("size")
    before, after = np.array(bins.finest.counts), count_rows(reference, frame).features["size"]
    words = describe_shift(bins, before, after).changes[0].split()
    assert words[3] != words[5]
    assert len(set(bins.labels)) == len(bins.labels)


def test_the_two_categories_that_changed_most_are_named() -> None:
    frame = sample_rows(1_000, 5)
    frame["plan"] = pd.Series(np.where(np.arange(1_000) < 500, "pro", "plus"), dtype="string")
    parts = describe(frame, "plan").changes
    assert [part.partition(" from")[0] for part in parts] == ["share of 'basic' fell", "share of 'pro' rose"]


def test_undeclared_categories_are_named_even_when_they_are_rare() -> None:
    frame = sample_rows(10_000, 5)
    frame.loc[0, "plan"] = "gold"
    assert "share of undeclared categories rose from 0% to 0.01%" in describe(frame, "plan").changes
