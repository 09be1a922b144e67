"""Predict for dead letters once more, after their cause is fixed, under the identifiers that their events have.

An identifier is in the log once, so that a second replay logs nothing again: it sends what the log has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable
from pipeline.state import PredictionIdTaken, PredictionWriter
from pipeline.state.predictions import logged_results
from pipeline.state.stream_offsets import read_stream_positions
from pipeline.streaming.dead_letters import DEAD_LETTER_HEADERS
from pipeline.streaming.event_scoring import event_prediction_id, id_prefix, predict_events
from pipeline.streaming.event_values import EventReader
from pipeline.streaming.kafka_client import KafkaClient, Partition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State
    from pipeline.state.predictions import LoggedResult
    from pipeline.streaming.event_scoring import PredictedEvents
    from pipeline.streaming.kafka_client import Event
    from pipeline.streaming.kafka_reader import KafkaReader

__all__ = ["DeadLetterReplay", "ReplayResult"]

_OMITTED_HEADER = "omitted_bytes"
_FLUSH_S = 60.0
# Partition, slash and offset: numbers of 32 and 64 bits.
_MAX_POSITION_DIGITS = 10 + 1 + 19


@dataclass(slots=True)
class ReplayResult:
    """What a replay led to.

    Attributes
    ----------
    n_predicted : int
        Events that have a prediction now.
    n_repeated : int
        Events that had one already; it was sent again.
    n_dead : int
        Events that still have no prediction; they stay dead letters.
    n_without_value : int
        Dead letters whose value the topic refused for its size.
    n_foreign : int
        Dead letters of another topic, of another group, or of an earlier topic of the same name.
    """

    n_predicted: int = 0
    n_repeated: int = 0
    n_dead: int = 0
    n_without_value: int = 0
    n_foreign: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


class _NoPartitions:
    """The listener of a client that joins no group."""

    def on_assign(self, _partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return {}

    def on_revoke(self, _partitions: Sequence[Partition]) -> None:
        return


@dataclass(slots=True)
class DeadLetterReplay:
    """Predicts for the dead letters of one stream.

    Parameters
    ----------
    config : KafkaStreamConfig
    state : State
    model : LoadedModel
    reader : KafkaReader
    sample_rate : float
        `serving.log.sample_rate`.
    """

    config: KafkaStreamConfig
    state: State
    model: LoadedModel
    reader: KafkaReader
    sample_rate: float = 1.0
    result: ReplayResult = field(default_factory=ReplayResult)
    _seen: set[tuple[Partition, int]] = field(default_factory=set)
    _stated_ids: dict[tuple[Partition, int], str] = field(default_factory=dict)

    def run(self, *, since_ms: int | None = None) -> ReplayResult:
        """Predict for dead letters up to the present end of their topic.

        `since_ms` (milliseconds since 1970) leaves earlier ones out.

        Raises
        ------
        UsageError
            When the broker has no topic of dead letters.
        DependencyUnavailable
            When broker or state database do not respond; another run continues.
        RecordRefused
            When the broker refuses a prediction for good.
        """
        topic = self.config.topics.dead
        marks = {partition: self.reader.watermarks(partition) for partition in self.reader.partitions(topic)}
        starts = {partition: low for partition, (low, _) in marks.items()}
        ends = {partition: end for partition, (_, end) in marks.items()}
        with self.state.reading() as connection:
            positions = read_stream_positions(connection, self.config.group)
        prefixes = {
            Partition(at.topic, at.partition_number): id_prefix(
                at.group_name, at.topic, str(at.partition_number), at.incarnation
            )
            for at in positions
        }
        client = KafkaClient(self.config, topic, _NoPartitions())
        writer = PredictionWriter(self.state)
        try:
            for batch in self.reader.read_batches(starts, ends):
                letters = [letter for letter in batch if since_ms is None or letter.timestamp_ms >= since_ms]
                self._process(list(self._original_events(letters, prefixes)), prefixes, client, writer)
        finally:
            writer.close()
            client.close()
        return self.result

    def _original_events(self, letters: Sequence[Event], prefixes: Mapping[Partition, str]) -> Iterator[Event]:
        """Yield the events of dead letters, each once, as they were in their topic."""
        for letter in letters:
            headers = dict(letter.headers)
            place = _parse_source(headers.get("source", b"").decode("utf-8", "replace"))
            if place is None or place[0] not in prefixes or place[0].topic != self.config.topics.events:
                self.result.n_foreign += 1
            elif letter.value is None and _OMITTED_HEADER in headers:
                self.result.n_without_value += 1
            elif place not in self._seen:
                self._seen.add(place)
                self._stated_ids[place] = headers.get("prediction_id", b"").decode("utf-8", "replace")
                own = tuple(header for header in letter.headers if header[0] not in DEAD_LETTER_HEADERS)
                yield letter._replace(partition=place[0], offset=place[1], headers=own)

    def _process(
        self, events: list[Event], prefixes: Mapping[Partition, str], client: KafkaClient, writer: PredictionWriter
    ) -> None:
        config, reader = self.config, EventReader(self.config.format, self.config.key)

        def position_id(event: Event) -> str:
            return f"{prefixes[event.partition]}{event.offset:012x}"

        def id_of(event: Event, event_id: str | None) -> str:
            if event_id is None:
                return position_id(event)
            return event_prediction_id(config.group, event.partition.topic, event_id)

        ours = [event for event in events if self._is_ours(event, position_id(event), reader)]
        self.result.n_foreign += len(events) - len(ours)
        predicted = predict_events(ours, self.model, reader, id_of)
        self.result.n_dead += len(predicted.dead)
        logged = self._log(predicted, writer)
        is_cloud_event = config.format == "cloudevents"
        for event, value, headers in predicted.predictions(logged, is_cloud_event=is_cloud_event):
            client.produce(config.topics.predictions, key=event.key, value=value, headers=headers)
        if not client.flush(timeout_s=_FLUSH_S):
            raise DependencyUnavailable(
                f"{config.topics.predictions}: the broker does not take the predictions; run the replay again"
            )

    def _is_ours(self, event: Event, position_id: str, reader: EventReader) -> bool:
        """Return whether the group of this stream, and this topic of that name, has produced a dead letter."""
        stated = self._stated_ids[event.partition, event.offset]
        if stated == position_id or self.config.key is None:
            return stated == position_id
        try:
            event_id = reader.read(event).event_id
        except Exception:  # noqa: BLE001 - the event stays a dead letter, with its problem
            return True
        return event_id is not None and stated == event_prediction_id(
            self.config.group, event.partition.topic, event_id
        )

    def _log(self, predicted: PredictedEvents, writer: PredictionWriter) -> Mapping[str, LoggedResult]:
        """Log the rows that the log does not have, and return what it has of the predictions."""
        while True:
            known = self._logged_results(predicted.ids)
            rows = predicted.rows(predicted_at=self.state.clock(), sample_rate=self.sample_rate, logged=known)
            try:
                writer.write((), (), rows, has_client_ids=True)
            except PredictionIdTaken:
                continue
            break
        self.result.n_repeated += len(known)
        self.result.n_predicted += len(predicted.events) - len(known)
        return self._logged_results(predicted.ids)

    def _logged_results(self, ids: list[str]) -> Mapping[str, LoggedResult]:
        with self.state.reading() as connection:
            return logged_results(connection, ids)


def _parse_source(text: str) -> tuple[Partition, int] | None:
    """Return partition and offset of a word such as `events/0/17`."""
    topic, _, rest = text.partition("/")
    number, _, offset = rest.partition("/")
    if not (topic and number.isdecimal() and offset.isdecimal() and len(rest) <= _MAX_POSITION_DIGITS):
        return None
    return Partition(topic, int(number)), int(offset)
