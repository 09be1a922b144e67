"""The timeline has what happened and why nothing happened, by subject and action, with links."""

from __future__ import annotations

from typing import Any

import pytest

from app.views.loop.timeline_panel import select_decisions
from pipeline.state import LoopDecision, LoopRun
from tests.app.conftest import app_page, tables_of, text_of
from tests.app.loop_history import IDLE_REASON

pytestmark = pytest.mark.xdist_group("app")


def decisions(**parameters: str) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of the timeline, and the text of the page."""
    at = app_page("loop")
    at.query_params.update(parameters)
    at.run()
    assert not at.exception
    tables = [table for table in tables_of(at) if "Reason" in table.columns]
    return tables[0].to_dict("records"), text_of(at).replace("\\", "")


@pytest.mark.usefixtures("loop_trial")
def test_the_address_selects_decisions_and_a_run() -> None:
    rows, text = decisions(show="everything", subject="retraining", run="1")
    assert [row["Action"] for row in rows] == ["none"]
    assert IDLE_REASON in text
    assert "**Run 1**" in text
    rows, text = decisions(run="99")
    assert [row["Action"] for row in rows] == ["propose canary"]
    assert "no run of the loop has the number 99" in text


@pytest.mark.parametrize(
    ("subject", "action", "selected"),
    [
        ("all", "all", ["trial 1", "trial 12", "retraining"]),
        ("trial", "all", ["trial 1", "trial 12"]),
        ("trial 1", "all", ["trial 1"]),
        ("trial", "none", ["trial 12"]),
        ("retraining", "promote", []),
    ],
)
def test_a_kind_selects_all_its_subjects(subject: str, action: str, selected: list[str]) -> None:
    actions = {"trial 1": "promote", "trial 12": "none", "retraining": "none"}
    run = LoopRun("model", 0, "test", tuple(LoopDecision(name, done, "") for name, done in actions.items()), 0)
    decided = [(run, decision) for decision in run.decisions]
    chosen = select_decisions(decided, subject=subject, action=action)
    assert [decision.subject for _, decision in chosen] == selected
