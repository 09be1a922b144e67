"""Read the prediction log: rows as columns, hourly counts, windows and traffic."""

from pipeline.monitoring.log.bin_counts import PREDICTION_OUTPUTS, BinCounts, count_frame, reference_counts
from pipeline.monitoring.log.hourly_traffic import (
    HourlyOutcomes,
    HourlyPredictions,
    outcomes_by_hour,
    predictions_by_hour,
    traffic_summary,
)
from pipeline.monitoring.log.log_batch import LogBatch, loggable_reference
from pipeline.monitoring.log.log_window import PredictionLog, Window, WindowTallies, window_by_rows, window_by_time
from pipeline.monitoring.log.rollup_updates import rebuild_rollups, roll_up
from pipeline.monitoring.log.time_periods import confidence_by_period

__all__ = [
    "PREDICTION_OUTPUTS",
    "BinCounts",
    "HourlyOutcomes",
    "HourlyPredictions",
    "LogBatch",
    "PredictionLog",
    "Window",
    "WindowTallies",
    "confidence_by_period",
    "count_frame",
    "loggable_reference",
    "outcomes_by_hour",
    "predictions_by_hour",
    "rebuild_rollups",
    "reference_counts",
    "roll_up",
    "traffic_summary",
    "window_by_rows",
    "window_by_time",
]
