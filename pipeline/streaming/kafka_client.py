"""A consumer and a producer of Kafka's protocol; the only module that imports confluent-kafka."""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pipeline.errors import ConfigError, DependencyUnavailable, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.config.groups.stream_config import KafkaStreamConfig

__all__ = [
    "AssignmentListener",
    "Event",
    "Headers",
    "KafkaClient",
    "Partition",
    "RecordRefused",
    "StreamOffsetGone",
    "client_settings",
    "require_library",
    "to_event",
    "unavailable_broker",
]

Headers = tuple[tuple[str, bytes], ...]

_LOG = logging.getLogger(__name__)
_REQUEST_TIMEOUT_S = 10.0
_MAX_BACKOFF_MS = 5_000
_NOTE_EVERY_S = 60.0
_QUEUE_PAUSE_S = 0.1
# Larger than any event: a broker decides how large a dead letter may be.
_MAX_MESSAGE_BYTES = 1_000_000_000
# What the client fetches ahead of the batch in progress, for each partition.
_BATCHES_AHEAD, _MAX_QUEUE_KB = 2, 16_384
# How long messages may wait in the producer for further ones of the same request.
_LINGER_MS = 5


class StreamOffsetGone(IntegrityError):
    """The broker does not have the events that a group would read next."""


class RecordRefused(DependencyUnavailable):
    """The broker refuses a record for good, such as for a missing right."""


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


class Event(NamedTuple):
    """One record of a topic; `timestamp_ms` is its moment since 1970, 0 where the broker has none."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def source(self) -> str:
        """Topic, partition and offset as a word."""
        return f"{self.partition}/{self.offset}"


class AssignmentListener(Protocol):
    """Receives the partitions that the group gives to a consumer and takes from it."""

    def on_assign(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the offset at which each new partition begins."""

    def on_revoke(self, partitions: Sequence[Partition]) -> None:
        """Forget partitions."""


def client_settings(config: KafkaStreamConfig, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that consumers, producers and administrators of librdkafka share.

    Raises
    ------
    ConfigError
        When a variable of the environment is not set.
    """
    client = config.client
    settings: dict[str, Any] = {
        "bootstrap.servers": _from_environment(environ, config.brokers_env, "stream.brokers_env", "HOST:PORT,..."),
        "security.protocol": client.security_protocol,
        "client.id": "mlops-stream",
        # The library reports each try to connect, many a second while a broker is gone.
        "log_level": 2,
        "reconnect.backoff.max.ms": _MAX_BACKOFF_MS,
    }
    if client.ssl_ca_location is not None:
        settings["ssl.ca.location"] = client.ssl_ca_location
    if client.security_protocol.startswith("sasl"):
        settings |= {
            "sasl.mechanism": client.sasl_mechanism,
            "sasl.username": _from_environment(environ, config.username_env, "stream.username_env", "the user"),
            "sasl.password": _from_environment(environ, config.password_env, "stream.password_env", "the password"),
        }
    return settings


def _from_environment(environ: Mapping[str, str], name: str, key: str, expected: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise ConfigError(f"the variable {name} is not set; expected {expected}: set it, or name another in {key}")
    return value


def require_library() -> Any:
    """Return the module confluent_kafka.

    Raises
    ------
    DependencyUnavailable
        When it is not installed.
    """
    try:
        import confluent_kafka
    except ModuleNotFoundError as error:
        raise DependencyUnavailable(
            "confluent-kafka is not installed; run `pip install 'declarative-mlops[stream]'`"
        ) from error
    return confluent_kafka


class KafkaClient:
    """Reads one topic as a member of a group, and writes any topic; used by one thread.

    Parameters
    ----------
    config : KafkaStreamConfig
    topic : str
        Topic that is read.
    listener : AssignmentListener
        Called inside `consume` and `close`.
    environ : mapping, optional
        Where addresses and secrets are.

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
        topic: str,
        listener: AssignmentListener,
        *,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._kafka = require_library()
        self._topic = topic
        self._listener = listener
        self._failed: list[tuple[str, Any]] = []
        self._fatal: Exception | None = None
        self._noted_at: dict[int, float] = {}
        shared = {**client_settings(config, environ), "error_cb": self._note_error}
        self._consumer = self._kafka.Consumer(
            {
                **shared,
                "group.id": config.group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "queued.min.messages": _BATCHES_AHEAD * config.batch_rows,
                "queued.max.messages.kbytes": _MAX_QUEUE_KB,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": config.client.session_timeout_ms,
                "heartbeat.interval.ms": config.client.heartbeat_interval_ms,
                "max.poll.interval.ms": config.client.max_poll_interval_ms,
            }
        )
        self._producer = self._kafka.Producer(
            {
                **shared,
                "enable.idempotence": True,
                "linger.ms": _LINGER_MS,
                "message.max.bytes": _MAX_MESSAGE_BYTES,
                "message.timeout.ms": 0,
                "delivery.report.only.error": True,
            }
        )

    def subscribe(self) -> None:
        """Join the group."""
        self._consumer.subscribe([self._topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    def rejoin(self) -> None:
        """Leave the group and join it again, which gives partitions anew."""
        self._consumer.unsubscribe()
        self.subscribe()

    def consume(self, n_events: int, *, timeout_s: float) -> list[Event]:
        """Return at most `n_events`, those that arrive within the timeout; partitions may be given and taken meanwhile.

        Raises
        ------
        StreamOffsetGone
            When the broker does not have the next events of a partition.
        DependencyUnavailable
            When the topic may not be read.
        """
        messages = self._consumer.consume(n_events, timeout=timeout_s)
        if self._fatal is not None:
            raise self._fatal
        return [to_event(message) for message in messages if not self._is_error(message)]

    def _is_error(self, message: Any) -> bool:
        error = message.error()
        if error is None:
            return False
        code, errors = error.code(), self._kafka.KafkaError
        at = Partition(message.topic(), message.partition())
        if code in (errors._AUTO_OFFSET_RESET, errors.OFFSET_OUT_OF_RANGE):  # noqa: SLF001 - the library's name
            raise StreamOffsetGone(_offset_gone_message(at, message.offset()))
        if code in (errors.TOPIC_AUTHORIZATION_FAILED, errors.GROUP_AUTHORIZATION_FAILED):
            raise DependencyUnavailable(f"{at}: the broker refuses the consumer ({error.str()}); grant it the right")
        _LOG.warning("%s: %s; the client tries again", at, error.str())
        return True

    def watermarks(self, partition: Partition) -> tuple[int, int]:
        """Return the offset of the oldest event, and the one that the next event will get.

        Raises
        ------
        DependencyUnavailable
            When the broker does not respond.
        """
        at = self._kafka.TopicPartition(*partition)
        try:
            low, high = self._consumer.get_watermark_offsets(at, timeout=_REQUEST_TIMEOUT_S)
        except self._kafka.KafkaException as error:
            raise unavailable_broker(partition, error) from error
        return low, high

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the offset that the group has committed for each partition; negative without one.

        Raises
        ------
        DependencyUnavailable
            When the broker does not respond.
        """
        asked = [self._kafka.TopicPartition(*partition) for partition in partitions]
        try:
            found = self._consumer.committed(asked, timeout=_REQUEST_TIMEOUT_S)
        except self._kafka.KafkaException as error:
            raise unavailable_broker(self._topic, error) from error
        return {Partition(each.topic, each.partition): each.offset for each in found}

    def commit(self, offsets: Mapping[Partition, int]) -> str | None:
        """Commit offsets to the group; return why it was refused, None when it was not.

        A refused commit loses nothing: the state database knows where each partition continues.
        """
        if not offsets:
            return None
        at = [self._kafka.TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=at, asynchronous=False)
        except self._kafka.KafkaException as error:
            return str(error.args[0].str())
        return None

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Stop the flow of events of these partitions; the consumer stays in its group while `consume` is called."""
        self._consumer.pause([self._kafka.TopicPartition(*partition) for partition in partitions])

    def resume(self, offsets: Mapping[Partition, int]) -> None:
        """Let paused partitions continue, each at an offset."""
        self._consumer.resume([self._kafka.TopicPartition(*partition) for partition in offsets])
        for partition, offset in offsets.items():
            self._consumer.seek(self._kafka.TopicPartition(*partition, offset))

    def produce(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Queue a record for a topic; `flush` waits until the broker has it."""
        note_failure = partial(self._note_failure, headers)  # the library reports a failure without them
        while True:
            try:
                self._producer.produce(topic, value, key, headers=list(headers), on_delivery=note_failure)
            except BufferError:
                self._producer.poll(_QUEUE_PAUSE_S)
            else:
                return

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until the broker has each queued record; return False when some are left after the timeout.

        Raises
        ------
        RecordRefused
            When the broker refuses a record for good.
        """
        n_left: int = self._producer.flush(timeout_s)
        if self._failed:
            (topic, error), self._failed = self._failed[0], []
            raise RecordRefused(f"{topic}: the broker refuses a record ({error.str()})")
        return n_left == 0

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assign(self, consumer: Any, assigned: list[Any]) -> None:
        try:
            offsets = self._listener.on_assign([Partition(each.topic, each.partition) for each in assigned])
        except Exception as error:  # noqa: BLE001 - raised by `consume`, outside of the library's call
            self._fatal = error
            return
        consumer.incremental_assign([self._kafka.TopicPartition(*each, offset) for each, offset in offsets.items()])

    def _revoke(self, _consumer: Any, revoked: list[Any]) -> None:
        self._listener.on_revoke([Partition(each.topic, each.partition) for each in revoked])

    def _note_failure(self, headers: Headers, error: Any, message: Any) -> None:
        """Note a refused record; one that is too large is sent without its value, so that it stops no partition."""
        too_large = (self._kafka.KafkaError.MSG_SIZE_TOO_LARGE, self._kafka.KafkaError.INVALID_MSG_SIZE)
        if error.code() in too_large and message.value() is not None:
            omitted = ("omitted_bytes", str(len(message.value())).encode())
            self.produce(message.topic(), key=message.key(), value=None, headers=(*headers, omitted))
        else:
            self._failed.append((message.topic(), error))

    def _note_error(self, error: Any) -> None:
        """Log an error of the connection, each kind once a minute."""
        now = time.monotonic()
        if now - self._noted_at.get(error.code(), -_NOTE_EVERY_S) >= _NOTE_EVERY_S:
            self._noted_at[error.code()] = now
            _LOG.warning("kafka: %s", error.str())


def to_event(message: Any) -> Event:
    """Return a message of the library as an event."""
    kind, timestamp_ms = message.timestamp()
    return Event(
        Partition(message.topic(), message.partition()),
        message.offset(),
        message.key(),
        message.value(),
        tuple((name, value or b"") for name, value in message.headers() or ()),
        timestamp_ms if kind else 0,
    )


def _offset_gone_message(at: Partition, offset: int) -> str:
    return (
        f"{at}: the broker does not have offset {offset}, where the group continues; restore the topic, or run"
        f" `mlops stream reset {at.topic}` to begin at its oldest event"
    )


def unavailable_broker(at: object, error: Any) -> DependencyUnavailable:
    """Return the error of a request that the broker did not respond to."""
    return DependencyUnavailable(f"{at}: the broker does not respond ({error.args[0].str()})")
