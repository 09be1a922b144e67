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


def test_the_overview_lists_recent_activity_with_links_and_the_test_metrics(project: Workspace) -> None:
    tables = tables_of(app_page("overview").run())
    activity = next(table for table in tables if "What" in table.columns)
    promoted = activity[activity["What"].str.contains("promoted version 1 to Production")]
    assert promoted["Details"].tolist() == ["Version 1"]
    metrics = next(table for table in tables if "Metric" in table.columns)
    assert list(metrics.columns) == ["Metric", "Value", "95% interval", "Meaning"]
    assert metrics["Metric"].tolist()[0] == "Log loss ↓"


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
