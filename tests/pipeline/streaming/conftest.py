"""The process that forks the consumers of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.streaming.stream_project import running_nursery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.streaming.stream_project import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """A process that forks consumers."""
    with running_nursery() as running:
        yield running
