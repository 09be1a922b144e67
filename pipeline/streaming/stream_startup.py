"""Start the programs of a stream from the settings: consumers until SIGTERM or SIGINT, replays, and the lag."""

from __future__ import annotations

import gc
import json
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.config.config_loader import load_params
from pipeline.errors import ConfigError, DependencyUnavailable, MlopsError, UsageError
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.project.root import find_state_root
from pipeline.serving.http.golden_replay import replay_golden_rows
from pipeline.serving.http.metrics_encoding import encode_metrics
from pipeline.serving.log_hash_key import load_hash_key
from pipeline.serving.reloader import ModelReloader
from pipeline.state import open_state
from pipeline.state.stream_offsets import forget_stream_positions, read_stream_positions
from pipeline.streaming.dead_letter_replay import DeadLetterReplay
from pipeline.streaming.kafka_reader import KafkaReader
from pipeline.streaming.lag_meter import measure_lag
from pipeline.streaming.outcome_consumer import OutcomeConsumer, outcome_group
from pipeline.streaming.probe_server import ProbeServer
from pipeline.streaming.stream_consumer import StreamConsumer
from pipeline.streaming.stream_metrics import stream_metrics
from pipeline.streaming.stream_models import StreamModels
from pipeline.streaming.stream_reporter import StreamReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.config.root_config import Config
    from pipeline.state import State
    from pipeline.streaming.dead_letter_replay import ReplayResult
    from pipeline.streaming.lag_meter import PartitionLag
    from pipeline.streaming.stream_consumer import Step
    from pipeline.streaming.stream_stats import StreamStats

__all__ = [
    "build_consumer",
    "build_models",
    "read_lags",
    "replay_dead_letters",
    "require_stream",
    "reset_topic",
    "start_outcomes",
    "start_stream",
]


class _Project(NamedTuple):
    """The settings and the folder of a project, and its open state database."""

    config: Config
    root: Path
    state: State


class _Consumer(Protocol):
    """What runs until it is stopped, and counts."""

    stats: StreamStats

    def run(self) -> None:
        """Consume until `stop`."""

    def stop(self) -> None:
        """Let `run` end."""


def start_stream(address: tuple[str, int], *, state_root: Path | None = None) -> None:
    """Predict for the events of the configured topic until SIGTERM or SIGINT.

    `address` is host and port of metrics and probes; port 0 takes a free one.

    Raises
    ------
    ConfigError
        When no stream is configured, or predictions are not logged.
    DependencyUnavailable
        When the client of Kafka is not installed, the state database is unavailable, or the port is taken.
    IntegrityError
        When the broker does not have the events that follow.
    """
    with _opened_project(state_root) as (config, root, state):
        stream = require_stream(config)
        consumer = build_consumer(config, root, state)
        _run(consumer, (stream.group, stream.topics.events, config.name), stream, address, state)


def start_outcomes(address: tuple[str, int], *, state_root: Path | None = None) -> None:
    """Store the outcomes of the configured topic until SIGTERM or SIGINT; arguments and errors as `start_stream`."""
    with _opened_project(state_root) as (config, root, state):
        stream = require_stream(config)
        consumer = OutcomeConsumer(stream, state=state, models=build_models(config, root, state))
        _run(consumer, (outcome_group(stream), stream.topics.outcomes, config.name), stream, address, state)


def replay_dead_letters(*, since_us: int | None = None, state_root: Path | None = None) -> ReplayResult:
    """Predict for dead letters since a moment by the version in Production; errors as `DeadLetterReplay.run`.

    No fallback predicts instead: an event gets one prediction, which a later version does not replace.
    """
    with _opened_project(state_root) as (config, root, state):
        stream, models = require_stream(config), build_models(config, root, state)
        model = models.current
        if model is None or model.served_by != "production":
            raise DependencyUnavailable(f"dead letters wait for the version in Production: {models.reason}")
        with KafkaReader(stream) as reader:
            replay = DeadLetterReplay(stream, state, model, reader, sample_rate=config.serving.log.sample_rate)
            return replay.run(since_ms=None if since_us is None else since_us // 1000)


def read_lags(*, state_root: Path | None = None) -> dict[str, list[PartitionLag]]:
    """Return the lag of each partition of the topic with events, by group, and of that with outcomes if it is read."""
    with _opened_project(state_root) as (config, _, state):
        stream = require_stream(config)
        with KafkaReader(stream) as reader:
            lags = {stream.group: measure_lag(state, reader, group=stream.group, topic=stream.topics.events)}
            group = outcome_group(stream)
            with state.reading() as connection:
                has_outcomes = bool(read_stream_positions(connection, group))
            if has_outcomes:
                lags[group] = measure_lag(state, reader, group=group, topic=stream.topics.outcomes)
    return lags


def reset_topic(topic: str, *, partition: int | None = None, state_root: Path | None = None) -> tuple[int, str]:
    """Forget where the group that reads a topic continues; return the number of partitions, and the group.

    Raises
    ------
    UsageError
        When the topic is neither that of events nor that of outcomes.
    """
    with _opened_project(state_root) as (config, _, state):
        stream = require_stream(config)
        groups = {stream.topics.events: stream.group, stream.topics.outcomes: outcome_group(stream)}
        if topic not in groups:
            raise UsageError(f"{topic}: is no topic that is read; expected {' or '.join(groups)}")
        with state.writing() as connection:
            return forget_stream_positions(connection, groups[topic], topic, partition), groups[topic]


@contextmanager
def _opened_project(state_root: Path | None) -> Iterator[_Project]:
    root = find_state_root(state_root)
    settings = root / paths.PARAMS
    config = load_params(settings if settings.exists() else paths.PARAMS)
    require_stream(config)
    state = open_state(root)
    try:
        yield _Project(config, root, state)
    finally:
        state.close()


def _run(
    consumer: _Consumer, names: tuple[str, str, str], stream: KafkaStreamConfig, address: tuple[str, int], state: State
) -> None:
    """Run a consumer until a signal, with its reports and probes beside it."""
    group, topic, model = names
    reporter = StreamReporter(group, topic, model, state=state, stats=consumer.stats, reader=KafkaReader(stream))
    probes = ProbeServer(
        address,
        find_reason=lambda: consumer.stats.wait_reason,
        metrics=lambda accept: encode_metrics(
            stream_metrics(consumer.stats, reporter.lags.values(), now=state.clock()), model=model, accept=accept
        ),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop())
    start = {"event": "consuming", "topic": topic, "group": group, "model": model, "address": probes.address}
    sys.stderr.write(json.dumps(start) + "\n")
    sys.stderr.flush()
    probes.start()
    reporter.start()
    reason = ""
    try:
        consumer.run()
    except Exception as error:
        # The message of an unexpected error may quote a value of a row.
        reason = str(error) if isinstance(error, MlopsError) else f"internal error ({type(error).__name__})"
        raise
    finally:
        reporter.stop(reason)
        probes.stop()


def require_stream(config: Config) -> KafkaStreamConfig:
    """Return the settings of the stream.

    Raises
    ------
    ConfigError
        When no stream is configured, or predictions are not logged.
    """
    if config.stream.kind == "none":
        raise ConfigError("stream is none: no topics are configured; compose with stream=kafka")
    if config.serving.log.mode == "none":
        raise ConfigError("serving.log.mode is none; a stream needs the log to predict for each event once: durable")
    return config.stream


def build_consumer(
    config: Config, root: Path, state: State, *, on_step: Callable[[Step], None] = lambda _step: None
) -> StreamConsumer:
    """Return the consumer of the project at `root`; `on_step` is called at each moment of a batch."""
    gc.set_threshold(50_000, 20, 50)  # thousands of short-lived events without reference cycles
    models = build_models(config, root, state)
    return StreamConsumer(require_stream(config), config.serving.log, state=state, models=models, on_step=on_step)


def build_models(config: Config, root: Path, state: State) -> StreamModels:
    """Return what follows the version in Production of the project at `root`."""
    engine = config.serving.engine
    reloader = ModelReloader(
        state,
        PackageStore(root / paths.PACKAGES),
        config.name,
        "Production",
        engine,
        load_hash_key(root),
        replay_golden_rows,
    )
    return StreamModels(reloader, engine.poll_interval_s)
