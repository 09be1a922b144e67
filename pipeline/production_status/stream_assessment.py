"""Assess the streams of a model from what their consumers reported: whether each runs, and how far it is behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.production_status.component_status import HEALTH_STATES, ComponentStatus
from pipeline.state.stream_reports import StreamFacts
from pipeline.text import format_age, format_duration, pluralize, shorten

if TYPE_CHECKING:
    from pipeline.production_status.state_facts import ModelFacts
    from pipeline.state.stream_reports import ConsumerReport, PartitionReport

__all__ = ["assess_facts", "assess_stream", "is_partition_stale", "is_silent"]

# A consumer reports every five seconds; one that is silent for longer than this is gone.
_SILENT_AFTER_US = 30_000_000
_LATE_AFTER_US = 300_000_000
_OVER_AFTER_US = 86_400_000_000
_START = "run `mlops stream`, or `mlops stream outcomes` for outcomes"
_MAX_REASON_LENGTH = 120


def assess_stream(known: ModelFacts | None, now: int) -> ComponentStatus | None:
    """Return the status of the streams; None where no consumer ever reported: most projects have no stream.

    A group that was stopped in order more than a day ago is left out.
    """
    facts = None if known is None else known.stream
    if facts is None or facts.is_empty:
        return None
    groups = [group for group in _groups(facts) if not _is_over(group, now)]
    return _assess_groups(groups, now) if groups else None


def assess_facts(facts: StreamFacts, now: int) -> ComponentStatus:
    """Return the status of streams whose consumers reported at least once."""
    return _assess_groups(_groups(facts), now)


def _groups(facts: StreamFacts) -> list[StreamFacts]:
    """Return the reports of each group: one group reads events, another one outcomes."""
    reports: list[ConsumerReport | PartitionReport] = [*facts.consumers, *facts.partitions]
    names = dict.fromkeys(report.group_name for report in reports)
    return [
        StreamFacts(
            tuple(consumer for consumer in facts.consumers if consumer.group_name == name),
            tuple(partition for partition in facts.partitions if partition.group_name == name),
        )
        for name in names
    ]


def _is_over(group: StreamFacts, now: int) -> bool:
    return bool(group.consumers) and all(
        consumer.state == "stopped" and not consumer.reason and now - consumer.seen_at > _OVER_AFTER_US
        for consumer in group.consumers
    )


def _assess_groups(groups: list[StreamFacts], now: int) -> ComponentStatus:
    """Return the worst status of a group; where there are several, the sentence names the topic of each."""
    statuses = [_assess_group(group, now) for group in groups]
    worst = max(statuses, key=lambda status: HEALTH_STATES.index(status.state))
    if len(statuses) == 1:
        return worst
    topics = [(group.consumers[0] if group.consumers else group.partitions[0]).topic for group in groups]
    sentences = [f"{topic}: {status.sentence}" for topic, status in zip(topics, statuses, strict=True)]
    return replace(worst, sentence="; ".join(sentences))


def _assess_group(facts: StreamFacts, now: int) -> ComponentStatus:
    running = [
        consumer for consumer in facts.consumers if consumer.state != "stopped" and not is_silent(consumer.seen_at, now)
    ]
    if not running:
        return _assess_without_consumer(facts, now)
    paused = [consumer for consumer in running if consumer.state == "paused"]
    if paused:
        reason = shorten(paused[0].reason, _MAX_REASON_LENGTH)
        sentence = f"{pluralize(len(paused), 'consumer')} of {len(running)} paused: {reason}"
        step = "fix the cause; the consumer continues by itself"
        return ComponentStatus("stream", "degraded", "paused", "paused", sentence, step, "stream paused")
    return _assess_lag(facts, running, now)


def is_silent(seen_at: int, now: int) -> bool:
    """Return whether a consumer that reported last at `seen_at` should have reported again."""
    return now - seen_at > _SILENT_AFTER_US


def is_partition_stale(partition: PartitionReport, now: int) -> bool:
    """Return whether the lag of a partition was measured so long ago that no consumer measures it now."""
    return is_silent(partition.measured_at, now)


def _assess_without_consumer(facts: StreamFacts, now: int) -> ComponentStatus:
    last = max(facts.consumers, key=lambda consumer: consumer.seen_at, default=None)
    if last is None:
        return ComponentStatus("stream", "unknown", "unknown", "unknown", "No consumer runs", _START, "no consumer")
    seen = f"`{last.consumer}` reported last {format_age(last.seen_at, now)}"
    if last.state == "stopped" and last.reason:
        sentence = (
            f"`{last.consumer}` ended {format_age(last.seen_at, now)}: {shorten(last.reason, _MAX_REASON_LENGTH)}"
        )
        failed = ComponentStatus("stream", "down", "failed", "failed", sentence, _START, "stream failed")
        return failed.known_since(last.seen_at)
    if last.state == "stopped":
        sentence = f"No consumer runs; {seen}, when it was stopped"
        stopped = ComponentStatus("stream", "unknown", "stopped", "stopped", sentence, _START, "stream stopped")
        return stopped.known_since(last.seen_at)
    sentence = f"No consumer reports: {seen}"
    down = ComponentStatus("stream", "down", "no_consumer", "no consumer", sentence, _START, "stream without consumer")
    return down.known_since(last.seen_at, "last_seen")


def _assess_lag(facts: StreamFacts, running: list[ConsumerReport], now: int) -> ComponentStatus:
    stale = [partition for partition in facts.partitions if is_partition_stale(partition, now)]
    consumers = pluralize(len(running), "consumer")
    if stale:
        sentence = (
            f"{consumers}; the lag of {pluralize(len(stale), 'partition')} of {len(facts.partitions)} is not known:"
            f" measured last {format_age(min(partition.measured_at for partition in stale), now)}"
        )
        step = "read the log of the consumers: the broker may not respond"
        return ComponentStatus("stream", "degraded", "stale", "lag unknown", sentence, step, "stream lag unknown")
    lag = pluralize(sum(partition.lag for partition in facts.partitions), "event")
    moments = [partition.oldest_event_at for partition in facts.partitions if partition.oldest_event_at is not None]
    oldest = min(moments, default=now)
    if now - oldest > _LATE_AFTER_US:
        sentence = f"{consumers}; {lag} wait, the oldest for {format_duration(now - oldest)}"
        step = "start a further consumer, at most one for each partition"
        late = ComponentStatus("stream", "degraded", "late", "late", sentence, step, "stream late")
        return late.known_since(oldest + _LATE_AFTER_US)
    sentence = f"{consumers}, {pluralize(len(facts.partitions), 'partition')}; {lag} wait"
    return ComponentStatus("stream", "healthy", "on_time", "on time", sentence, clause="stream up")
