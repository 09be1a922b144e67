"""The loop of the topic with outcomes: consume, store outcomes with the next offsets in one transaction, commit.

An outcome may overtake its prediction, which another consumer logs. Its partition then waits for the prediction, until
the outcome is `stream.outcome_wait_s` old. What cannot be stored is a dead letter; the broker has it before the
transaction, so that none is lost.
"""

from __future__ import annotations

import threading
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline import state as store
from pipeline.errors import Conflict, DependencyUnavailable, MlopsError
from pipeline.serving.outcomes import read_outcomes
from pipeline.serving.rows.row_parser import parse_json
from pipeline.serving.serving_errors import FieldError, InvalidRequest, MalformedBody, UnknownPrediction
from pipeline.state.prediction_writer import UpdateRefused
from pipeline.state.stream_offsets import advance_position
from pipeline.streaming.dead_letters import dead_letter
from pipeline.streaming.kafka_client import KafkaClient
from pipeline.streaming.partition_claims import PartitionClaims
from pipeline.streaming.stream_stats import StreamStats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.outcomes import Outcome
    from pipeline.state import State
    from pipeline.streaming.kafka_client import Event, Partition
    from pipeline.streaming.stream_models import StreamModels

__all__ = ["OutcomeConsumer", "OutcomeStep", "outcome_group"]

# Moments of a batch, in their order; a test ends the process at one of them.
OutcomeStep = Literal["sent", "written", "stored"]


_SOURCE = "stream"
_MAX_ROWS = 1_000
# Separators of a body with that many outcomes of three fields.
_MAX_COMMAS = 4 * _MAX_ROWS
_RETRY_S = 0.5
_FLUSH_S = 1.0


class _ReadOutcomes(NamedTuple):
    """The outcomes of an event, or the error that they have."""

    event: Event
    outcomes: list[Outcome]
    error: MlopsError | None


def outcome_group(config: KafkaStreamConfig) -> str:
    """Return the consumer group of the topic with outcomes."""
    return f"{config.group}-outcomes"


class OutcomeConsumer:
    """One member of the group that stores outcomes; all methods but `stop` belong to one thread.

    Parameters
    ----------
    config : KafkaStreamConfig
    state : State
    models : StreamModels
        The model in Production has the classes that outcomes may be.
    on_step : callable, optional
        Called at each moment of a batch.
    """

    def __init__(
        self,
        config: KafkaStreamConfig,
        *,
        state: State,
        models: StreamModels,
        on_step: Callable[[OutcomeStep], None] = lambda _step: None,
    ) -> None:
        self.stats = StreamStats()
        self._config = config
        self._state = state
        self._models = models
        self._on_step = on_step
        group = outcome_group(config)
        self._claims = PartitionClaims(state, group)
        self._client = KafkaClient(config.model_copy(update={"group": group}), config.topics.outcomes, self)
        self._waiting: list[Event] = []
        self._waits_since: dict[Partition, int] = {}
        self._stop_event = threading.Event()

    def stop(self) -> None:
        """Let `run` end after the batch in progress; may be called by a signal handler."""
        self._stop_event.set()

    def run(self) -> None:
        """Store outcomes until `stop`, then leave the group.

        Raises
        ------
        StreamOffsetGone
            When the broker does not have the next events of a partition.
        RecordRefused
            When the broker refuses a dead letter for good.
        DependencyUnavailable
            When the topic may not be read.
        """
        self._client.subscribe()
        try:
            while not self._stop_event.is_set():
                self._take_turn()
        finally:
            self._client.close()

    def on_assign(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Claim partitions, as soon as the state database responds."""
        offsets = self._claims.claim_when_possible(
            partitions, self._client, stats=self.stats, stop_event=self._stop_event
        )
        if not self._waiting:
            self.stats.pause_reason = None
        return offsets

    def on_revoke(self, partitions: Sequence[Partition]) -> None:
        """Forget partitions, and their events that wait."""
        self._claims.release(partitions)
        self._waiting = [event for event in self._waiting if event.partition not in partitions]
        self.stats.note_claimed(self._claims.next_offsets)

    def _take_turn(self) -> None:
        was_waiting = bool(self._waiting)
        if was_waiting:
            self._client.pause(self._claims.partitions)  # also those that were given meanwhile
            self._client.consume(1, timeout_s=_RETRY_S)
        else:
            found = self._client.consume(self._config.batch_rows, timeout_s=self._config.wait_ms / 1000)
            self._waiting = self._claims.expected_events(found)
        if self._waiting:
            self._process_safely()
        else:
            self.stats.pause_reason = self._models.reason if self._models.current is None else None
        if was_waiting and not self._waiting:
            self._client.resume(self._claims.offsets)

    def _process_safely(self) -> None:
        model = self._models.current
        if model is None:
            self.stats.pause_reason = self._models.reason
            return
        try:
            self._waiting = self._process(self._waiting, model)
        except UpdateRefused:
            self._give_up_claims()
        except (DependencyUnavailable, Conflict) as error:
            self.stats.pause_reason = str(error)
        else:
            self.stats.pause_reason = None

    def _process(self, events: list[Event], model: LoadedModel) -> list[Event]:
        """Store the outcomes of events, and return those that wait for a prediction."""
        fresh = [event for event in events if event.offset >= self._claims[event.partition].position.next_offset]
        read = [_read_event(event, model.classes) for event in fresh]
        ids = [outcome.prediction_id for each in read for outcome in each.outcomes]
        with self._state.reading() as connection:
            known_ids = store.existing_prediction_ids(connection, ids)
        ready, waiting = self._divide(read, known_ids)
        stored = [each for each in ready if each.error is None]
        dead = [each for each in ready if each.error is not None]
        if not self._send_dead(dead, model):
            self.stats.pause_reason = "the broker does not take the dead letters"
            return events
        self._on_step("sent")
        taken = [each.event for each in ready]
        self._store(stored, taken)
        self._on_step("stored")
        self._count(taken, stored, dead)
        if self._client.commit(self._claims.note_sent(taken)) is not None:
            self.stats.n_refused_commits += 1
        return waiting

    def _divide(self, read: Sequence[_ReadOutcomes], known_ids: set[str]) -> tuple[list[_ReadOutcomes], list[Event]]:
        """Return the events of each partition before the first one that waits for its prediction, and the others."""
        ready: list[_ReadOutcomes] = []
        waiting: list[Event] = []
        now_ms = self._state.clock() // 1000
        for partition, group in groupby(
            sorted(read, key=lambda each: each.event[:2]), lambda each: each.event.partition
        ):
            found = list(group)
            n_ready = 0
            for each in found:
                unknown = [outcome for outcome in each.outcomes if outcome.prediction_id not in known_ids]
                if unknown and self._may_wait(each.event, now_ms):
                    break
                ready.append(each._replace(error=_unknown_error(unknown)) if unknown else each)
                n_ready += 1
            if n_ready:
                self._waits_since.pop(partition, None)
            waiting += [each.event for each in found[n_ready:]]
        return ready, waiting

    def _may_wait(self, event: Event, now_ms: int) -> bool:
        """Return whether an event is young; one that its producer dated in the future ages from now on."""
        first_seen_ms = self._waits_since.setdefault(event.partition, now_ms)
        since = min(event.timestamp_ms or first_seen_ms, first_seen_ms)
        return now_ms - since < self._config.outcome_wait_s * 1000

    def _send_dead(self, dead: Sequence[_ReadOutcomes], model: LoadedModel) -> bool:
        for read, _, error in dead:
            event, headers = dead_letter(read, error or InvalidRequest(()), model_digest=model.digest)
            self._client.produce(self._config.topics.dead, key=event.key, value=event.value, headers=headers)
        return not dead or self._client.flush(timeout_s=_FLUSH_S)

    def _store(self, read: Sequence[_ReadOutcomes], taken: Sequence[Event]) -> None:
        """Write outcomes and the next offsets in one transaction."""
        now = self._state.clock()
        rows = [
            (outcome.prediction_id, now, outcome.outcome, outcome.source) for each in read for outcome in each.outcomes
        ]
        ends = {event.partition: event.offset + 1 for event in taken}
        with self._state.writing() as connection:
            if rows:
                store.add_outcomes(connection, rows)
            self._on_step("written")
            positions = {
                partition: advance_position(connection, self._claims[partition].position, end, now=now)
                for partition, end in ends.items()
            }
        for partition, position in positions.items():
            self._claims[partition].position = position

    def _count(self, taken: Sequence[Event], stored: Sequence[_ReadOutcomes], dead: Sequence[_ReadOutcomes]) -> None:
        stats = self.stats
        stats.note_events(taken, (each.event for each in dead))
        stats.n_predicted += len(stored)
        stats.n_dead += len(dead)
        stats.n_batches += 1

    def _give_up_claims(self) -> None:
        """Drop what another consumer has claimed, and join the group again."""
        self.stats.n_fenced += 1
        self._waiting = []
        self._claims.release(self._claims.partitions)
        self.stats.note_claimed({})
        self._client.rejoin()


def _read_event(event: Event, classes: Sequence[str]) -> _ReadOutcomes:
    try:
        if not event.value:
            message = 'the event has no value; expected {"prediction_id": "...", "outcome": "..."}'
            raise MalformedBody.for_field("", "json", message)
        found = read_outcomes(
            parse_json(event.value, max_commas=_MAX_COMMAS), classes, max_rows=_MAX_ROWS, source=_SOURCE
        )
    except MlopsError as error:
        return _ReadOutcomes(event, [], error)
    return _ReadOutcomes(event, found, None)


def _unknown_error(unknown: Sequence[Outcome]) -> UnknownPrediction:
    return UnknownPrediction(
        FieldError(f"{outcome.path}.prediction_id".lstrip("."), "unknown", "no such prediction is in the log")
        for outcome in unknown
    )
