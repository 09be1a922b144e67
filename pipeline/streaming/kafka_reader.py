"""Read a topic of Kafka without joining a group: its partitions, their ends, and events between two offsets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.streaming.kafka_client import Partition, client_settings, require_library, to_event, unavailable_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.streaming.kafka_client import Event

__all__ = ["KafkaReader"]

_REQUEST_TIMEOUT_S = 10.0
_BATCH_EVENTS = 2_000
_POLL_S = 0.2
_MAX_EMPTY_POLLS = 50


class KafkaReader:
    """Reads any topic of the brokers of a stream; used by one thread, and closed at the end of a `with`.

    Parameters
    ----------
    config : KafkaStreamConfig
    environ : mapping, optional
        Where addresses and secrets are.
    timeout_s : float, default 10
        Time that the broker has for a response.

    Raises
    ------
    DependencyUnavailable
        When confluent-kafka is not installed.
    ConfigError
        When a variable of the environment is not set.
    """

    def __init__(
        self,
        config: KafkaStreamConfig,
        *,
        environ: Mapping[str, str] = os.environ,
        timeout_s: float = _REQUEST_TIMEOUT_S,
    ) -> None:
        self._kafka = require_library()
        self._timeout_s = timeout_s
        self._consumer = self._kafka.Consumer(
            {
                **client_settings(config, environ),
                "group.id": f"{config.group}-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # What the broker does not respond to is an error of the call; the library would write it as well.
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def partitions(self, topic: str) -> list[Partition]:
        """Return the partitions of a topic.

        Raises
        ------
        UsageError
            When the broker has no such topic.
        DependencyUnavailable
            When the broker does not respond.
        """
        try:
            found = self._consumer.list_topics(topic, timeout=self._timeout_s).topics[topic]
        except self._kafka.KafkaException as error:
            raise unavailable_broker(topic, error) from error
        if found.error is not None:
            raise UsageError(f"{topic}: the broker has no such topic ({found.error.str()}); create it")
        return [Partition(topic, number) for number in sorted(found.partitions)]

    def watermarks(self, partition: Partition) -> tuple[int, int]:
        """Return the offset of the oldest event, and the one that the next event will get.

        Raises
        ------
        DependencyUnavailable
            When the broker does not respond.
        """
        try:
            low, high = self._consumer.get_watermark_offsets(
                self._kafka.TopicPartition(*partition), timeout=self._timeout_s
            )
        except self._kafka.KafkaException as error:
            raise unavailable_broker(partition, error) from error
        return low, high

    def read_batches(self, starts: Mapping[Partition, int], ends: Mapping[Partition, int]) -> Iterator[list[Event]]:
        """Yield the events of partitions from their start to before their end, each partition in its order.

        Raises
        ------
        DependencyUnavailable
            When the broker does not send them.
        """
        left = {partition: end for partition, end in ends.items() if starts[partition] < end}
        self._consumer.assign([self._kafka.TopicPartition(*each, starts[each]) for each in left])
        n_empty = 0
        while left:
            messages = self._consumer.consume(_BATCH_EVENTS, timeout=_POLL_S)
            events = [to_event(message) for message in messages if self._is_event(message)]
            n_empty = 0 if messages else n_empty + 1
            if n_empty > _MAX_EMPTY_POLLS:
                raise DependencyUnavailable(f"{', '.join(map(str, left))}: the broker sends no events; run it again")
            batch = [event for event in events if event.offset < ends[event.partition]]
            for event in events:
                if event.offset + 1 >= ends[event.partition]:
                    left.pop(event.partition, None)
            if batch:
                yield batch
        self._consumer.unassign()

    def event_moment_ms(self, partition: Partition, offset: int, end: int) -> int | None:
        """Return the moment of the event at an offset, in milliseconds since 1970; None without one before `end`."""
        batch = next(self.read_batches({partition: offset}, {partition: end}), [])
        return next((event.timestamp_ms for event in batch if event.timestamp_ms), None)

    def _is_event(self, message: Any) -> bool:
        error = message.error()
        if error is not None and error.fatal():
            raise DependencyUnavailable(f"{message.topic()}: {error.str()}")
        return error is None
