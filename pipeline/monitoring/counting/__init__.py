"""Count rows of files by bin, in parts on any engine, and detect their drift."""

from pipeline.monitoring.counting.bin_counts_file import read_counts
from pipeline.monitoring.counting.count_job import CountJob, plan_counts
from pipeline.monitoring.counting.counted_drift import CountedDrift

__all__ = ["CountJob", "CountedDrift", "plan_counts", "read_counts"]
