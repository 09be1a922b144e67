"""The filters of the history are in its address, and can be added, removed and cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.app.conftest import errors_of, text_of
from tests.app.views.predictions.test_history_page import N_ROWS, history, shown_ids

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize(
    ("parameters", "is_expected"),
    [
        ({"where": ["Time_spent_Alone>=8", "Stage_fear=Yes"]}, lambda n: n % 12 >= 8 and n % 2 == 1),
        ({"text": "Time spent alone = 11"}, lambda n: n % 12 == 11),
        ({"text": "introvert"}, lambda n: n % 2 == 1),
        ({"where": ["score<0.5"], "outcome": "any"}, lambda _: False),
        ({"outcome": "wrong"}, lambda n: n == 1),
        ({"outcome": "right"}, lambda n: n == 3),
        ({"where": ["confidence<0.05"]}, lambda n: n < 5),
    ],
)
def test_the_address_filters(parameters: dict[str, Any], is_expected: Any, history_project: Workspace) -> None:
    at = history(history_project, **parameters)
    assert errors_of(at) == []
    found = {name for name in shown_ids(at) if name.startswith("history-")}
    assert found == {f"history-{n}" for n in range(N_ROWS) if is_expected(n)}


def test_a_text_with_an_operator_becomes_a_filter_that_can_be_removed(history_project: Workspace) -> None:
    at = history(history_project)
    at.text_input(key="history_text").set_value("stage fear = yes").run()
    assert (at.query_params["where"], at.text_input(key="history_text").value) == ("Stage_fear=Yes", "")
    at.button(key="history_remove_0_Stage_fear=Yes").click().run()
    assert "where" not in at.query_params


def test_an_unknown_column_is_named_and_nothing_is_shown(history_project: Workspace) -> None:
    at = history(history_project, where=["Stage_feer=Yes"])
    assert "did you mean 'Stage_fear'" in text_of(at)
    assert not at.dataframe
    at.button(key="history_clear_invalid").click().run()
    assert errors_of(at) == []


def test_the_menu_adds_a_filter(history_project: Workspace) -> None:
    at = history(history_project)
    at.selectbox(key="history_menu_column").set_value("Stage_fear").run()
    at.selectbox(key="history_menu_value_Stage_fear").set_value("Yes").run()
    at.button(key="history_menu_add").click().run()
    assert at.query_params["where"] == "Stage_fear=Yes"
