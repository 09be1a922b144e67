"""The streams page shows what consumers reported, and marks a lag that no consumer measures now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, tables_of, text_of
from tests.app.stream_history import add_stream_reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def test_consumers_partitions_and_totals_are_shown(empty: Path, serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    add_stream_reports(empty, "iris_model")
    at = app_page("streams").run()
    assert errors_of(at) == []
    assert "Waiting events: 1,000" in text_of(at)
    assert "Dead letters: 20" in text_of(at)
    consumers, partitions = tables_of(at)
    assert list(consumers["State"]) == ["running", "silent"]
    assert list(partitions["Lag"]) == ["500", "500, measured 1 hour ago"]


def test_a_project_without_a_stream_has_the_next_step(serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    assert "run `mlops stream`" in text_of(app_page("streams").run())
