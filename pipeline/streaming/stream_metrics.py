"""The metric families of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.production_status.stream_assessment import is_silent
from pipeline.serving.http.server_metrics import add_histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.streaming.lag_meter import PartitionLag
    from pipeline.streaming.stream_stats import StreamStats

__all__ = ["stream_metrics"]


def stream_metrics(stats: StreamStats, lags: Iterable[PartitionLag], *, now: int) -> list[Any]:
    """Return the metric families of a consumer at `now` (microseconds since 1970, UTC)."""
    return [*_count_families(stats), *_lag_families(list(lags), now)]


def _count_families(stats: StreamStats) -> Iterable[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    rows = CounterMetricFamily(
        "mlops_stream_rows",
        "Number of events by result: processed, a dead letter, or sent again after a restart.",
        labels=["result"],
    )
    for result, count in (("predicted", stats.n_predicted), ("dead", stats.n_dead), ("replayed", stats.n_replayed)):
        rows.add_metric([result], count)
    yield rows
    yield CounterMetricFamily(
        "mlops_stream_rebalances", "Number of assignments of partitions.", value=stats.n_rebalances
    )
    yield CounterMetricFamily(
        "mlops_stream_fenced",
        "Number of transactions that were refused because another consumer has the partition.",
        value=stats.n_fenced,
    )
    yield GaugeMetricFamily("mlops_stream_partitions", "Number of claimed partitions.", value=stats.n_partitions)
    yield GaugeMetricFamily(
        "mlops_stream_ready", "1 while the consumer reads its partitions, otherwise 0.", value=float(stats.is_ready)
    )
    batches = HistogramMetricFamily("mlops_stream_batch_seconds", "Duration of a batch, in seconds.")
    add_histogram(batches, stats.batch_durations_s.as_dict())
    yield batches


def _lag_families(lags: Sequence[PartitionLag], now: int) -> Iterable[Any]:
    from prometheus_client.core import GaugeMetricFamily

    names = ["topic", "partition"]
    lag = GaugeMetricFamily("mlops_stream_lag", "Number of events that wait, as measured last.", labels=names)
    stale = GaugeMetricFamily(
        "mlops_stream_lag_stale", "1 if the lag was not measured in the last 30 seconds, otherwise 0.", labels=names
    )
    oldest = GaugeMetricFamily(
        "mlops_stream_oldest_event_seconds", "Time that the oldest event has waited; 0 without one.", labels=names
    )
    for each in lags:
        labels = [each.partition.topic, str(each.partition.number)]
        lag.add_metric(labels, each.lag)
        stale.add_metric(labels, float(is_silent(each.measured_at, now)))
        oldest.add_metric(labels, each.age_s(now) or 0.0)
    yield from (lag, stale, oldest)
