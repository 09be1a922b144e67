"""Metrics have the names and labels that alert rules read, and a stale lag says that it is stale."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from pipeline.serving.http.metrics_encoding import encode_metrics
from pipeline.streaming.kafka_client import Partition
from pipeline.streaming.lag_meter import PartitionLag
from pipeline.streaming.stream_metrics import stream_metrics
from pipeline.streaming.stream_stats import StreamStats

_NOW = 1_000_000_000_000


def _other_labels(labels: dict[str, str]) -> list[str]:
    assert labels["model"] == "m"
    return sorted((value for name, value in labels.items() if name != "model"), reverse=True)


def _samples(stats: StreamStats, *lags: PartitionLag) -> dict[tuple[str, ...], float]:
    text = encode_metrics(stream_metrics(stats, lags, now=_NOW), model="m").body.decode()
    return {
        (sample.name, *_other_labels(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("mlops_stream_")
    }


def test_counts_and_lags_are_exported() -> None:
    stats = StreamStats(n_predicted=7, n_dead=2, n_replayed=1, n_rebalances=3, n_fenced=1)
    stats.batch_durations_s.observe(0.02)
    fresh = PartitionLag(Partition("events", 0), 5, 9, _NOW - 8_000_000, _NOW)
    stale = PartitionLag(Partition("events", 1), 5, 5, None, _NOW - 30_000_001)
    samples = _samples(stats, fresh, stale)
    assert {key: samples[key] for key in samples if "bucket" not in key[0]} == {
        ("mlops_stream_rows_total", "predicted"): 7,
        ("mlops_stream_rows_total", "dead"): 2,
        ("mlops_stream_rows_total", "replayed"): 1,
        ("mlops_stream_rebalances_total",): 3,
        ("mlops_stream_fenced_total",): 1,
        ("mlops_stream_partitions",): 0,
        ("mlops_stream_ready",): 0,
        ("mlops_stream_batch_seconds_count",): 1,
        ("mlops_stream_batch_seconds_sum",): 0.02,
        ("mlops_stream_lag", "events", "0"): 4,
        ("mlops_stream_lag", "events", "1"): 0,
        ("mlops_stream_lag_stale", "events", "0"): 0,
        ("mlops_stream_lag_stale", "events", "1"): 1,
        ("mlops_stream_oldest_event_seconds", "events", "0"): 8,
        ("mlops_stream_oldest_event_seconds", "events", "1"): 0,
    }
