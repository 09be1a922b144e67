"""Events and a loaded model, for tests of what happens to single events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.package import PackageStore
from pipeline.serving.loaded_model import load_model
from pipeline.streaming.kafka_client import Event, Partition
from tests.fixtures.registered_project import NAME
from tests.fixtures.server_process import ROW
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.stream_config import KafkaStreamConfig
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.streaming.kafka_client import Headers

__all__ = ["BODY", "load_package", "new_event", "stream_settings"]

BODY = json.dumps({"features": ROW}).encode()


def new_event(value: bytes | None = BODY, *, offset: int = 0, headers: Headers = (), key: bytes | None = None) -> Event:
    """Return an event of the first partition."""
    return Event(Partition("events", 0), offset, key, value, headers, 0)


def load_package(root: Path, folder: Path) -> LoadedModel:
    """Return a package as a stream loads it."""
    store = PackageStore(root / "packages")
    digest = store.add(folder).digest
    return load_model(
        store, model=NAME, version=3, digest=digest, generation=7, served_by="production",
        config=settings().serving.engine, hash_key=b"key",
    )  # fmt: skip


def stream_settings(*overrides: str) -> KafkaStreamConfig:
    """Return the settings of conf/stream/kafka.yaml with overrides."""
    config = settings("stream=kafka", *overrides).stream
    assert config.kind == "kafka"
    return config
