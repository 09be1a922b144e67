"""The two packages of a registered project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.trials import ModelPair
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME
from tests.pipeline.trials.trial_fixtures import package_store, state_at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(project: Path) -> ModelPair:
    with state_at(project) as state, state.reading() as connection:
        digests = [version.digest for version in store.read_versions(connection, MODEL_NAME)]
    return ModelPair(*(package_store(project).load(digest) for digest in digests[:2]))
