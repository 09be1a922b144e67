"""Start the consumer of a stream from the settings, and end it at SIGTERM or SIGINT."""

from __future__ import annotations

import gc
import signal
from typing import TYPE_CHECKING

from pipeline.config.config_loader import load_params
from pipeline.errors import ConfigError
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.project.root import find_state_root
from pipeline.serving.http.golden_replay import replay_golden_rows
from pipeline.serving.log_hash_key import load_hash_key
from pipeline.serving.reloader import ModelReloader
from pipeline.state import open_state
from pipeline.streaming.stream_consumer import StreamConsumer
from pipeline.streaming.stream_models import StreamModels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.config.root_config import Config
    from pipeline.state import State
    from pipeline.streaming.stream_consumer import Step

__all__ = ["build_consumer", "require_stream", "start_stream"]


def start_stream(*, state_root: Path | None = None) -> None:
    """Predict for the events of the configured topic until SIGTERM or SIGINT.

    Raises
    ------
    ConfigError
        When no stream is configured, or predictions are not logged.
    DependencyUnavailable
        When the client of Kafka is not installed, or the state database is unavailable.
    IntegrityError
        When the broker does not have the events that follow.
    """
    root = find_state_root(state_root)
    settings = root / paths.PARAMS
    config = load_params(settings if settings.exists() else paths.PARAMS)
    require_stream(config)
    state = open_state(root)
    try:
        consumer = build_consumer(config, root, state)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: consumer.stop())
        consumer.run()
    finally:
        state.close()


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
    models = StreamModels(reloader, engine.poll_interval_s)
    return StreamConsumer(require_stream(config), config.serving.log, state=state, models=models, on_step=on_step)
