"""Operators decide what waits for a person; other users only see it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.app.conftest import app_page, errors_of, log_in, text_of
from tests.app.loop_history import find_retrain, find_trial

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")


def test_an_operator_stops_a_trial_with_a_reason(loop_trial: int, empty: Path) -> None:
    at = app_page("loop").run()
    at.button(key=f"stop_{loop_trial}_proposal_confirm").click().run()
    assert any("Enter a reason" in error for error in errors_of(at))
    at.text_input(key=f"stop_{loop_trial}_proposal_reason").set_value("it is too slow")
    at.button(key=f"stop_{loop_trial}_proposal_confirm").click().run()
    assert (errors_of(at), find_trial(empty, loop_trial).state) == ([], "aborted")
    assert "is stopped" in text_of(at)


@pytest.mark.usefixtures("loop_trial")
def test_an_operator_discards_a_retrain_with_a_reason(empty: Path) -> None:
    at = app_page("loop").run()
    at.text_input(key="discard_1_retrain_reason").set_value("the caller sent wrong labels")
    at.button(key="discard_1_retrain_confirm").click().run()
    retrain = find_retrain(empty, 1)
    assert (errors_of(at), retrain.state, retrain.decided_by) == ([], "discarded", "ada")


def test_an_approved_trial_gets_its_first_requests(loop_trial: int, empty: Path) -> None:
    at = app_page("loop").run()
    at.button(key=f"approve_{loop_trial}_canary_confirm").click().run()
    trial = find_trial(empty, loop_trial)
    assert (errors_of(at), trial.state, trial.step, trial.proposal) == ([], "canary", 1, None)
    assert "is approved" in text_of(at)


def test_a_click_on_an_earlier_proposal_approves_nothing(loop_trial: int, empty: Path) -> None:
    at = app_page("loop").run()
    button = at.button(key=f"approve_{loop_trial}_canary_confirm")
    trial = replace(find_trial(empty, loop_trial), proposal="promote")
    with closing(store.open_state(empty)) as state, state.writing() as connection:
        store.update_trial(connection, trial, store.AuditEvent("loop", "propose trial promote", trial.opened_at))
    button.click().run()
    assert (errors_of(at), find_trial(empty, loop_trial)) == ([], trial)


@pytest.mark.usefixtures("loop_trial")
def test_a_viewer_sees_proposals_without_buttons() -> None:
    at = app_page("loop")
    log_in(at, roles=["viewer"])
    at.run()
    text = text_of(at).replace("\\", "")
    assert ("Waiting for a person" in text, list(at.button)) == (True, [])
    assert "give version 2 a share of the requests of version 1 (canary)" in text
    assert "labels of `clinic-7` contradict the champion" in text
