"""The history page searches the prediction log, and shows one prediction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.state import PredictionWriter
from tests.app.conftest import app_page, text_of
from tests.pipeline.state.test_prediction_search import make_row

if TYPE_CHECKING:
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")

N_ROWS = 60
_DAY_US = 86_400_000_000


def log_rows(project: Path, *, n: int = N_ROWS) -> None:
    """Log predictions with 0 to 11 hours alone, unless the log has them, before the days that the monitor reads."""
    state = store.open_state(project)
    model = load_params(project / "params.yaml").name
    with state.reading() as connection:
        digest = store.current_deployment(connection, model).digests["Production"]
        is_filled = bool(store.existing_prediction_ids(connection, ["history-0"]))
    if not is_filled:
        writer = PredictionWriter(state)
        now = state.clock() - 40 * _DAY_US
        writer.write(
            [
                make_row(
                    number,
                    prediction_id=f"history-{number}",
                    predicted_at=now - (n - number) * 1_000_000,
                    model=model,
                    version=1,
                    digest=digest,
                    features=json.dumps({"Time_spent_Alone": number % 12, "Stage_fear": ("No", "Yes")[number % 2]}),
                    prediction=("Extrovert", "Introvert")[number % 2],
                    probabilities=json.dumps({"Extrovert": 0.4, "Introvert": 0.6}),
                )
                for number in range(n)
            ]
        )
        writer.close()
        with state.writing() as connection:
            store.add_outcomes(
                connection, [("history-1", now, "Extrovert", "test"), ("history-3", now, "Introvert", "test")]
            )
    state.close()


def history(project: Workspace, **parameters: Any) -> AppTest:
    log_rows(project.root)
    at = app_page("history")
    for name, value in {"range": "all", **parameters}.items():
        at.query_params[name] = value
    return at.run()


def shown_ids(at: AppTest) -> set[str]:
    return set(at.dataframe[0].value["Prediction ID"]) if at.dataframe else set()


def test_no_match_offers_to_clear_the_filters(history_project: Workspace) -> None:
    at = history(history_project, where=["Time_spent_Alone>99"], outcome="wrong")
    assert "No predictions match these filters" in text_of(at)
    at.button(key="history_clear_empty").click().run()
    assert ("where" in at.query_params, at.query_params["outcome"]) == (False, "any")


def test_older_predictions_follow_the_newest(history_project: Workspace) -> None:
    at = history(history_project)
    first = shown_ids(at)
    at.button(key="history_older").click().run()
    assert (len(first), first & shown_ids(at)) == (50, set())
    at.button(key="history_newest").click().run()
    assert shown_ids(at) == first


def test_the_text_of_an_identifier_opens_its_prediction(history_project: Workspace) -> None:
    at = history(history_project)
    at.text_input(key="history_text").set_value("history-7").run()
    assert at.title[0].value == "Prediction"
    assert "history-7" in text_of(at)
