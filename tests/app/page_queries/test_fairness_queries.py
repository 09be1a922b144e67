"""The groups of monitor runs are those of the version, with the end of their window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.page_queries import fairness_queries
from pipeline import state as store
from tests.app.loop_history import opened_state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")


def test_the_groups_of_a_version_have_the_end_of_their_window(empty: Path) -> None:
    assert fairness_queries.recorded_groups_by_run("m", 1) == []
    with opened_state(empty) as state:
        now = state.clock()
        with state.writing() as connection:
            for version, groups in ((1, [{"group": "f"}]), (2, [])):
                run = store.MonitorRun("m", version, now, now - 9, now - 1, "stable", None, {"fairness": groups})
                store.add_monitor_run(connection, run)
    assert fairness_queries.recorded_groups_by_run("m", 1) == [(now - 1, [{"group": "f"}])]
