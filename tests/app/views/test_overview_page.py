"""The overview shows the production version, recent activity and test metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.app.conftest import app_page, tables_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_overview_shows_the_production_version_and_the_api(serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    at = app_page("overview").run()
    cards = {metric.label: metric.value for metric in at.metric}
    assert (cards["Version"], cards["API"]) == ("1", "not configured")


def test_the_overview_lists_recent_activity_by_actor_and_the_test_metrics(project: Workspace) -> None:
    at = app_page("overview").run()
    activity = [element.value for element in at.markdown if "version 1" in element.value and "**" in element.value]
    assert any("**promoted** version 1 to Production" in line for line in activity)
    assert any("**registered** version 1" in line for line in activity)
    metrics = next(table for table in tables_of(at) if "Metric" in table.columns)
    assert list(metrics.columns) == ["Metric", "Value", "Interval"]


def test_incidents_are_unknown_before_the_first_monitor_run(
    empty: Path, serving: Callable[[str], ModelRegistry]
) -> None:
    model = serving("iris").list_models()[0].model
    assert {metric.label: metric.value for metric in app_page("overview").run().metric}["Open incidents"] == "unknown"
    assert "The monitor never ran" in text_of(app_page("monitoring").run())
    state = store.open_state(empty)
    with state.writing() as connection:
        now = state.clock()
        store.add_monitor_run(connection, store.MonitorRun(model, 1, now, now - 1, now, "stable", None, {}))
    state.close()
    assert {metric.label: metric.value for metric in app_page("overview").run().metric}["Open incidents"] == "0"
