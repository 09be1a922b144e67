"""The counts of the log are plain values for status and metrics."""

from __future__ import annotations

from pipeline.serving.serving_stats import ServingStats


def test_the_counts_of_the_log_are_plain_values() -> None:
    stats = ServingStats(
        n_rows=9, n_logged=5, n_unlogged=3, n_opted_out=1, n_batches=2, n_failures=4, last_error="full"
    )
    stats.commit_durations_s.observe(0.002)
    counts = stats.log_counts()
    assert counts.pop("commit_duration_s") == stats.commit_durations_s.as_dict()
    assert counts == {
        "last_error": "full",
        "n_logged": 5,
        "n_unlogged": 3,
        "n_opted_out": 1,
        "n_batches": 2,
        "n_failures": 4,
    }
