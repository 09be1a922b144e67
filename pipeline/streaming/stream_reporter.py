"""Report a consumer at intervals: its lag to metrics, and both to the state database for the app and the status."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from pipeline.errors import MlopsError
from pipeline.state.stream_reports import (
    ConsumerReport,
    PartitionReport,
    add_partition_counts,
    put_consumer_report,
    put_partition_report,
    remove_consumer_reports,
)
from pipeline.streaming.lag_meter import LagMeter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.state import State
    from pipeline.state.stream_reports import ConsumerState
    from pipeline.streaming.kafka_client import Partition
    from pipeline.streaming.kafka_reader import KafkaReader
    from pipeline.streaming.lag_meter import PartitionLag
    from pipeline.streaming.stream_stats import StreamStats

__all__ = ["StreamReporter"]

_LOG = logging.getLogger(__name__)
_INTERVAL_S = 5.0
_FORGET_AFTER_US = 86_400_000_000


class StreamReporter:
    """A thread that reports a consumer, beside the one that consumes.

    Parameters
    ----------
    group, topic, model : str
    state : State
    stats : StreamStats
        Written by the consumer.
    reader : KafkaReader
        Used by this thread alone; `stop` closes it.
    interval_s : float, default 5
    """

    def __init__(
        self,
        group: str,
        topic: str,
        model: str,
        *,
        state: State,
        stats: StreamStats,
        reader: KafkaReader,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self.lags: dict[Partition, PartitionLag] = {}
        self._names = (group, f"{socket.gethostname()}-{os.getpid()}", model, topic)
        self._state = state
        self._stats = stats
        self._reader = reader
        self._interval_s = interval_s
        self._meter = LagMeter()
        self._reported: dict[Partition, tuple[int, int]] = {}
        self._started_at = state.clock()
        self._stop_event = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream-reporter", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self, reason: str = "") -> None:
        """Report that the consumer has stopped, and the error that ended it, if one did."""
        self._stop_event.set()
        self._thread.join()
        self._stats.pause_reason = reason or None
        self._report_safely("stopped")
        self._reader.close()

    def _run(self) -> None:
        while True:
            self._report_safely("running" if self._stats.pause_reason is None else "paused")
            if self._stop_event.wait(self._interval_s):
                return

    def _report_safely(self, consumer_state: ConsumerState) -> None:
        try:
            measured = self._measure() if consumer_state != "stopped" else {}
        except MlopsError as error:  # the last measurement stays, and its age shows that it is stale
            _LOG.warning("the lag is not known: %s", error)
            measured = {}
        try:
            self._report(consumer_state, measured)
        except MlopsError as error:
            _LOG.warning("the report was not stored: %s", error)

    def _measure(self) -> Mapping[Partition, PartitionLag]:
        offsets = dict(self._stats.next_offsets)
        self.lags = {partition: lag for partition, lag in self.lags.items() if partition in offsets}
        now = self._state.clock()
        measured = {
            lag.partition: lag for lag in self._meter.measure(offsets, self._stats.counts, self._reader, now=now)
        }
        self.lags = measured
        return measured

    def _report(self, consumer_state: ConsumerState, measured: Mapping[Partition, PartitionLag]) -> None:
        group, name, model, topic = self._names
        stats, now = self._stats, self._state.clock()
        reason = stats.pause_reason or ""
        totals = {partition: (counts.n_processed, counts.n_dead) for partition, counts in list(stats.counts.items())}
        with self._state.writing() as connection:
            if not self._reported:
                remove_consumer_reports(connection, group, seen_before=now - _FORGET_AFTER_US)
            put_consumer_report(
                connection,
                ConsumerReport(
                    group, name, model, topic, consumer_state, reason, stats.n_rebalances, stats.n_fenced,
                    self._started_at, now,
                ),
            )  # fmt: skip
            for partition, total in totals.items():
                self._report_partition(connection, partition, total, measured.get(partition))
        self._reported |= totals

    def _report_partition(
        self, connection: Any, partition: Partition, total: tuple[int, int], lag: PartitionLag | None
    ) -> None:
        group, name, model, topic = self._names
        before = self._reported.get(partition, (0, 0))
        n_processed, n_dead = total[0] - before[0], total[1] - before[1]
        if lag is None:
            add_partition_counts(connection, group, topic, partition.number, n_processed=n_processed, n_dead=n_dead)
            return
        put_partition_report(
            connection,
            PartitionReport(
                group, topic, partition.number, model, name, lag.next_offset, lag.end_offset, lag.oldest_event_at,
                n_processed, n_dead, lag.measured_at,
            ),
        )  # fmt: skip
