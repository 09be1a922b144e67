"""Counts of parts add up to those of the whole window."""

from __future__ import annotations

import numpy as np

from benchmarks import drift_rules
from tests.pipeline.monitoring.drift_fixtures import (
    count_rows,
    make_reference,
    sample_rows,
)
from tests.pipeline.monitoring.log_fixtures import plain_counts


def test_counts_of_parts_add_up_to_those_of_the_whole_window() -> None:
    reference, frame = make_reference(), sample_rows(3_000, 7)
    merged = count_rows(reference, frame[:1_000]).merge(count_rows(reference, frame[1_000:]))
    whole = count_rows(reference, frame)
    assert (merged.n_rows, plain_counts(merged)) == (whole.n_rows, plain_counts(whole))


def test_a_column_that_one_part_lacks_is_counted_by_neither() -> None:
    reference = make_reference()
    merged = count_rows(reference, sample_rows(500, 7)).merge(
        count_rows(reference, sample_rows(500, 8).drop(columns="plan"))
    )
    assert ("plan" in merged.features, merged.problems) == (False, {"plan": "the rows have no such column"})


def test_the_state_of_seven_columns_is_small() -> None:
    reference = drift_rules.draw_reference(np.random.default_rng(0))
    counts = drift_rules.draw_window(reference, 1_000_000, np.random.default_rng(1))
    assert counts.n_bytes <= 50_000
