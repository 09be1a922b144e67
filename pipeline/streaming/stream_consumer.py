"""The loop of a stream: consume, predict, log rows with the next offsets, send the results, commit.

Rows and offsets are one transaction of the state database, so each event is logged once. Results are sent after it,
and the offsets are committed to the group after the broker has the results. A consumer that ends in between sends the
results of its last transaction again, as the log has them.
"""

from __future__ import annotations

import threading
import time
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.state import PredictionIdTaken, PredictionWriter
from pipeline.state.prediction_writer import UpdateRefused
from pipeline.state.predictions import logged_results
from pipeline.streaming.event_scoring import event_prediction_id, predict_events
from pipeline.streaming.event_values import EventReader
from pipeline.streaming.kafka_client import KafkaClient, RecordRefused
from pipeline.streaming.partition_claims import ClaimLost, PartitionClaims
from pipeline.streaming.stream_stats import StreamStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.config.groups.serving_config import PredictionLogConfig
    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State
    from pipeline.state.prediction_writer import GuardedUpdate
    from pipeline.state.predictions import LoggedResult
    from pipeline.streaming.event_scoring import PredictedEvents
    from pipeline.streaming.kafka_client import Event, Partition
    from pipeline.streaming.partition_claims import Claim
    from pipeline.streaming.stream_models import StreamModels

__all__ = ["Step", "StreamConsumer"]

# Moments of a batch, in their order; a test ends the process at one of them.
Step = Literal["scored", "advanced", "logged", "sent", "flushed", "committed"]

_RETRY_S = 1.0
_IDLE_S = 0.25
_MAX_STOP_S = 10.0


class StreamConsumer:
    """One member of a consumer group; all methods but `stop` belong to one thread.

    Parameters
    ----------
    config : KafkaStreamConfig
    log : PredictionLogConfig
    state : State
    models : StreamModels
    stats : StreamStats, optional
        Other threads may read it.
    on_step : callable, optional
        Called at each moment of a batch.
    """

    def __init__(
        self,
        config: KafkaStreamConfig,
        log: PredictionLogConfig,
        *,
        state: State,
        models: StreamModels,
        stats: StreamStats | None = None,
        on_step: Callable[[Step], None] = lambda _step: None,
    ) -> None:
        self.stats = stats if stats is not None else StreamStats()
        self._config = config
        self._log_config = log
        self._state = state
        self._models = models
        self._on_step = on_step
        self._reader = EventReader(config.format, config.key)
        self._writer = PredictionWriter(state)
        self._claims = PartitionClaims(state, config.group)
        self._client = KafkaClient(config, config.topics.events, self)
        self._stop_event = threading.Event()
        self._is_paused = False
        self._tried_at = 0.0

    def stop(self) -> None:
        """Let `run` end after the batch in progress; may be called by a signal handler."""
        self._stop_event.set()

    def run(self) -> None:
        """Consume until `stop`, then leave the group.

        Raises
        ------
        StreamOffsetGone
            When the broker does not have the next events of a partition.
        RecordRefused
            When the broker refuses a result for good.
        DependencyUnavailable
            When the topic may not be read; with `on_log_failure: stop`, when the log cannot be written.
        IntegrityError
            When the package of the last transaction is missing, and its results must be sent again.
        """
        self._client.subscribe()
        try:
            while not self._stop_event.is_set():
                self._take_turn()
        finally:
            self._writer.close()
            self._client.close()

    def on_assign(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Claim partitions, as soon as the state database responds."""
        offsets = self._claims.claim_when_possible(
            partitions, self._client, stats=self.stats, stop_event=self._stop_event
        )
        if not self._is_paused:
            self.stats.pause_reason = None
        return offsets

    def on_revoke(self, partitions: Sequence[Partition]) -> None:
        """Forget partitions; no batch is in progress that was not sent."""
        self._claims.release(partitions)
        self.stats.note_claimed(self._claims.next_offsets)

    def _take_turn(self) -> None:
        model = self._models.current
        self.stats.model_version = None if model is None else model.version
        if model is None:
            self._pause(self._models.reason)
        elif self._is_paused and time.monotonic() - self._tried_at >= _RETRY_S:
            self._try_to_continue()
        if self._is_paused or model is None:
            self._client.pause(self._claims.partitions)  # also those that were given meanwhile
            self._client.consume(1, timeout_s=_IDLE_S)
            return
        found = self._client.consume(self._config.batch_rows, timeout_s=self._config.wait_ms / 1000)
        events = self._claims.expected_events(found)
        if events:
            self._process_safely(events, model)

    def _process_safely(self, events: list[Event], model: LoadedModel) -> None:
        try:
            self._process(events, model)
        except UpdateRefused:
            self._give_up_claims()
        except RecordRefused:
            raise
        except (DependencyUnavailable, Conflict) as error:
            if self._config.on_log_failure == "stop":
                raise
            self._pause(str(error))

    def _process(self, events: list[Event], model: LoadedModel) -> None:
        claims = {event.partition: self._claims[event.partition] for event in events}
        replayed = [event for event in events if event.offset < claims[event.partition].position.next_offset]
        if replayed:
            # The state database knows the last transaction alone: its results are sent before the next one.
            self._send_again(replayed)
        fresh = [
            event
            for event in events
            if event.offset >= claims[event.partition].position.next_offset
            and self._claims.has(event.partition, claims[event.partition])  # also after waiting for the broker
        ]
        if fresh:
            self._predict(fresh, model)

    def _send_again(self, events: list[Event]) -> None:
        for result, logged in list(self._replay(events)):
            self._send(result, logged)
        self._flush_and_commit(events)
        self.stats.n_replayed += len(events)

    def _predict(self, events: list[Event], model: LoadedModel) -> None:
        started = time.perf_counter()
        predicted = predict_events(events, model, self._reader, self._prediction_id)
        self._on_step("scored")
        logged = self._log(predicted, events)
        self._on_step("logged")
        self._send(predicted, logged)
        self._on_step("sent")
        self._flush_and_commit(events)
        self.stats.note_events(events, (letter.event for letter in predicted.dead))
        self._count(predicted, duration_s=time.perf_counter() - started)

    def _flush_and_commit(self, events: list[Event]) -> None:
        self._flush()
        self._on_step("flushed")
        if self._client.commit(self._claims.note_sent(events)) is not None:
            self.stats.n_refused_commits += 1
        self._on_step("committed")

    def _replay(self, events: list[Event]) -> Iterator[tuple[PredictedEvents, Mapping[str, LoggedResult]]]:
        """Yield the results of events that are logged already, by the model that predicted them."""
        for partition, group in groupby(events, key=lambda event: event.partition):
            at = self._claims[partition].position
            model = self._models.earlier(at)
            predicted = predict_events(list(group), model, self._reader, self._prediction_id)
            yield predicted, self._logged_results(predicted.ids)

    def _log(self, predicted: PredictedEvents, events: list[Event]) -> Mapping[str, LoggedResult]:
        """Commit the rows of events with the next offsets; return the results of events that were logged before."""
        has_event_ids = self._config.key is not None
        now = self._state.clock()
        advances = self._claims.advances(events, predicted.model, now=now)
        while True:
            known = self._logged_results(predicted.ids) if has_event_ids else {}
            rows = predicted.rows(predicted_at=now, sample_rate=self._log_config.sample_rate, logged=known)
            updates = self._updates([advance.as_update() for advance in advances.values()])
            try:
                self._writer.write((), (), rows, updates=updates, has_client_ids=has_event_ids)
                break
            except PredictionIdTaken:
                if not has_event_ids:
                    raise
        self._claims.note_logged(advances)
        return self._logged_results(predicted.ids) if has_event_ids else {}

    def _updates(self, updates: list[GuardedUpdate]) -> Iterator[GuardedUpdate]:
        yield from updates
        self._on_step("advanced")

    def _logged_results(self, ids: list[str]) -> Mapping[str, LoggedResult]:
        with self._state.reading() as connection:
            return logged_results(connection, ids)

    def _prediction_id(self, event: Event, event_id: str | None) -> str:
        if event_id is not None:
            return event_prediction_id(self._config.group, event.partition.topic, event_id)
        claim: Claim = self._claims[event.partition]
        return f"{claim.id_prefix}{event.offset:012x}"

    def _send(self, result: PredictedEvents, logged: Mapping[str, LoggedResult]) -> None:
        topics, produce = self._config.topics, self._client.produce
        for event, value, headers in result.predictions(logged, is_cloud_event=self._config.format == "cloudevents"):
            produce(topics.predictions, key=event.key, value=value, headers=headers)
        for event, headers in result.dead:
            produce(topics.dead, key=event.key, value=event.value, headers=headers)

    def _flush(self) -> None:
        """Wait until the broker has all results; the consumer stays in its group meanwhile."""
        deadline: float | None = None
        while not self._client.flush(timeout_s=_RETRY_S):
            self._pause("the broker does not take the results")
            self._client.pause(self._claims.partitions)
            self._client.consume(1, timeout_s=0)
            if self._stop_event.is_set():
                deadline = deadline or time.monotonic() + _MAX_STOP_S
                if time.monotonic() > deadline:
                    raise RecordRefused("the broker does not take the results; they are sent after the next start")

    def _pause(self, reason: str) -> None:
        self.stats.pause_reason = reason
        self._is_paused = True
        self._tried_at = time.monotonic()

    def _try_to_continue(self) -> None:
        """Continue after the last event whose results were sent, when the log can be written again."""
        try:
            self._writer.check_log()
            self._claims.refresh()
        except ClaimLost:
            self._give_up_claims()
        except (DependencyUnavailable, Conflict) as error:
            self._pause(str(error))
            return
        self._client.resume(self._claims.offsets)
        self._is_paused, self.stats.pause_reason = False, None

    def _give_up_claims(self) -> None:
        """Drop what another consumer has claimed, and join the group again."""
        self.stats.n_fenced += 1
        self._claims.release(self._claims.partitions)
        self.stats.note_claimed({})
        self._client.rejoin()

    def _count(self, predicted: PredictedEvents, *, duration_s: float) -> None:
        stats = self.stats
        stats.n_batches += 1
        stats.n_predicted += len(predicted.events)
        stats.n_dead += len(predicted.dead)
        stats.batch_durations_s.observe(duration_s)
