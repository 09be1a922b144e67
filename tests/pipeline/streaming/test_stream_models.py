"""The model of a stream follows the registry, and earlier ones are there for repeated results."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import IntegrityError
from pipeline.package import PackageStore
from pipeline.serving.reloader import ModelReloader
from pipeline.state import open_state
from pipeline.state.stream_offsets import StreamPosition
from pipeline.streaming.stream_models import StreamModels
from tests.fixtures.registered_project import NAME, promote
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POSITION = StreamPosition("group", "events", 0, "a", 1, 9, 5, None, None, None, None, 1)


@pytest.fixture
def models(project: Path) -> Iterator[StreamModels]:
    state = open_state(project)
    packages = PackageStore(project / "state/packages")
    reloader = ModelReloader(state, packages, NAME, "Production", settings().serving.engine, b"key")
    yield StreamModels(reloader, poll_interval_s=0.0)
    state.close()


def test_a_promotion_changes_the_model(project: Path, models: StreamModels) -> None:
    first = models.current
    promote(project, 2)
    second = models.current
    assert first is not None
    assert second is not None
    assert (first.version, second.version) == (1, 2)
    assert models.current is second


def test_without_a_version_in_production_there_is_a_reason(project: Path, models: StreamModels) -> None:
    assert models.current is not None
    promote(project, 1, "Archived")
    assert models.current is None
    assert "no version of personality_model is in Production" in models.reason


def test_between_two_looks_the_model_stays(project: Path, models: StreamModels) -> None:
    slow = StreamModels(models.reloader, poll_interval_s=3600.0)
    first = slow.current
    promote(project, 2)
    assert slow.current is first


def test_an_earlier_model_has_the_numbers_that_it_had(project: Path, models: StreamModels) -> None:
    first = models.current
    assert first is not None
    at = replace(POSITION, version=1, digest=first.digest, generation=first.generation, served_by="production")
    assert models.earlier(at).scorer is first.scorer
    promote(project, 2)
    assert models.current is not None
    again = models.earlier(at)
    assert again.response_suffix == first.response_suffix
    assert models.earlier(at).scorer is again.scorer


def test_a_missing_package_is_an_error(models: StreamModels) -> None:
    at = replace(POSITION, version=1, digest="0" * 64, generation=1, served_by="production")
    with pytest.raises(IntegrityError, match="0" * 64):
        models.earlier(at)


def test_a_position_without_a_model_is_an_error(models: StreamModels) -> None:
    with pytest.raises(IntegrityError, match="events/0: the state database names no model"):
        models.earlier(POSITION)
