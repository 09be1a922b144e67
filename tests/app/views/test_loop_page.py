"""The loop page names what waits, what happened, and why nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, log_in, text_of
from tests.app.loop_history import IDLE_REASON, add_loop_history, find_trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")

MODEL = "iris_model"


@pytest.fixture
def trial(empty: Path, serving: Callable[[str], ModelRegistry]) -> int:
    serving("iris")
    return add_loop_history(empty, MODEL).seq


@pytest.mark.usefixtures("trial")
def test_the_timeline_has_what_happened_and_why_nothing_happened() -> None:
    at = app_page("loop").run()
    text = text_of(at).replace("\\", "")
    assert errors_of(at) == []
    assert (IDLE_REASON in text, "1 of at most 2" in text.replace("*", "")) == (True, True)
    assert at.dataframe[0].value["Action"].tolist() == ["propose canary"]
    assert "labels of `clinic-7` contradict the champion" in text


@pytest.mark.usefixtures("trial")
def test_the_panel_of_trials_has_the_gain_and_its_interval() -> None:
    at = app_page("loop")
    at.query_params["loop_tab"] = "Trials"
    at.run()
    assert errors_of(at) == []
    metrics = {metric.label: metric.value for metric in at.metric}
    assert (metrics["Gain in log loss"], metrics["Outcomes so far"]) == ("+0.0100", "1,200")
    assert "Predictions count from" in text_of(at)


def test_an_operator_stops_a_trial_with_a_reason(trial: int, empty: Path) -> None:
    at = app_page("loop").run()
    at.button(key=f"stop_{trial}_proposal_confirm").click().run()
    assert any("Enter a reason" in error for error in errors_of(at))
    at.text_input(key=f"stop_{trial}_proposal_reason").set_value("it is too slow")
    at.button(key=f"stop_{trial}_proposal_confirm").click().run()
    assert (errors_of(at), find_trial(empty, trial).state) == ([], "aborted")
    assert "is stopped" in text_of(at)


@pytest.mark.usefixtures("trial")
def test_a_viewer_sees_proposals_without_buttons() -> None:
    at = app_page("loop")
    log_in(at, roles=["viewer"])
    at.run()
    assert ("Waiting for a person" in text_of(at), list(at.button)) == (True, [])
