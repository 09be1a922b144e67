"""Count rows of files by bin, in parts on any engine, and detect the drift of the whole."""

from pipeline.monitoring.counting.bin_counts_file import read_bin_counts
from pipeline.monitoring.counting.count_job import COUNTS_NAME, CountJob, count_settings
from pipeline.monitoring.counting.counted_rows import CountedRows

__all__ = ["COUNTS_NAME", "CountJob", "CountedRows", "count_settings", "read_bin_counts"]
