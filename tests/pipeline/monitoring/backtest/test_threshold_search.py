"""Thresholds are raised until a number of incidents is met, and no further."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.monitoring.backtest.threshold_search import (
    DriftThresholds,
    WindowCollection,
    raise_column_thresholds,
)
from tests.pipeline.monitoring.drift_fixtures import CONFIG, count_rows, make_reference, sample_rows

if TYPE_CHECKING:
    from pipeline.monitoring import BinCounts

REFERENCE = make_reference()


def test_raising_thresholds_ends_when_every_window_drifts() -> None:
    counts = [count_rows(REFERENCE, sample_rows(2_000, i, shift=2.0, missing=0.5)) for i in range(3)]
    windows = WindowCollection.from_tests(
        [[replace(test, p_value=0.0) for test in _column_tests(window)] for window in counts]
    )
    after = raise_column_thresholds(DriftThresholds.from_config(CONFIG, {}), windows, 0)
    assert not windows.alert_mask(after).any()


def _column_tests(counts: BinCounts) -> list[Any]:
    from pipeline.monitoring.drift.column_tests import column_pairs, column_tests
    from pipeline.monitoring.log.bin_counts import reference_counts

    pairs = column_pairs(REFERENCE, reference_counts(REFERENCE), counts)
    return [test for pair in pairs for test in column_tests(pair, CONFIG, 0.01, column_thresholds={})]
