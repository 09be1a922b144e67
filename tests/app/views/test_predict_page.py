"""Predictions by form, JSON and file; what is logged of them; what became true."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import pytest

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.files import read_parquet
from tests.app.conftest import app_page, errors_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from streamlit.testing.v1 import AppTest

    from pipeline.state import LoggedPrediction
    from tests.fixtures.workspace import Workspace

T = TypeVar("T")
pytestmark = pytest.mark.xdist_group("app")


def query_log(project: Workspace, query: Callable[[Connection, store.PredictionQuery], T]) -> T:
    name = load_params(project.root / "params.yaml").name
    state = store.open_state(project.root)
    try:
        with state.reading() as connection:
            return query(connection, store.PredictionQuery(name))
    finally:
        state.close()


def logged_predictions(project: Workspace) -> list[LoggedPrediction]:
    """Return the newest of what the log has, newest first."""
    return query_log(project, store.search_predictions)


def count_logged(project: Workspace) -> int:
    """Return how many predictions the log has."""
    return query_log(project, store.count_predictions)


def unlabeled_csv(project: Workspace, n: int = 3) -> str:
    """Return rows of the test part as CSV, without the answer."""
    config = load_params(project.root / "params.yaml")
    frame = read_parquet(project.root / "data/test.parquet")[list(config.data.columns)]
    return str(frame.head(n).to_csv(index=False))


def predict_by_form() -> AppTest:
    shown = app_page("predict").run()
    shown.button[0].click().run()
    return shown


def test_the_form_gives_an_answer_and_logs_what_was_asked(project: Workspace) -> None:
    before = count_logged(project)
    shown = predict_by_form()
    newest = logged_predictions(project)[0]
    assert (errors_of(shown), count_logged(project) - before) == ([], 1)
    assert shown.metric[0].value == newest.prediction
    examples = {name: one.example for name, one in load_params(project.root / "params.yaml").data.columns.items()}
    assert newest.features == examples


def test_an_answer_says_why_and_what_would_change_it(project: Workspace) -> None:
    shown = predict_by_form()
    shown.session_state["what_if_form"] = True
    shown.run()
    assert [one.label for one in shown.expander] == ["Why", "What would change the answer", "Say what became true"]
    assert any(("column" in one.value and "alone" in one.value) or "turns when" in one.value for one in shown.markdown)


@pytest.mark.parametrize(
    ("body", "said"),
    [("{", "JSON"), ('{"features": {"nonsense": 1}}', "nonsense"), ('{"features": {}, "features": {}}', "features")],
)
def test_a_bad_body_is_refused_with_its_place_and_not_logged(body: str, said: str, project: Workspace) -> None:
    before = count_logged(project)
    shown = app_page("predict").run()
    shown.text_area(key="json_body").set_value(body).run()
    shown.button(key="json_predict").click().run()
    assert "Refused for" in shown.error[0].value
    assert said in shown.dataframe[0].value.to_string()
    assert count_logged(project) == before


def test_a_file_is_predicted_row_by_row(project: Workspace) -> None:
    shown = app_page("predict").run()
    shown.file_uploader(key="batch_file").set_value([("rows.csv", unlabeled_csv(project).encode(), "text/csv")]).run()
    shown.button(key="batch_predict").click().run()
    answers = next(one.value for one in shown.dataframe if "prediction_id" in one.value.columns)
    assert (errors_of(shown), len(answers)) == ([], 3)
    assert list(answers["prediction"]) == [one.prediction for one in reversed(logged_predictions(project)[:3])]


def test_a_bad_file_is_refused_with_line_and_column_and_not_logged(project: Workspace) -> None:
    before = count_logged(project)
    header, first, *rest = unlabeled_csv(project).splitlines()
    broken = "\n".join([header, first, ",".join(["many", *rest[0].split(",")[1:]]), *rest[1:]]) + "\n"
    shown = app_page("predict").run()
    shown.file_uploader(key="batch_file").set_value([("bad.csv", broken.encode(), "text/csv")]).run()
    found = shown.dataframe[0].value
    assert "refused for 1 problem" in shown.error[0].value
    assert found[["Line", "Column"]].to_dict("records") == [{"Line": 3, "Column": header.split(",")[0]}]
    assert count_logged(project) == before


def test_the_history_finds_a_prediction_by_its_identifier(project: Workspace) -> None:
    predict_by_form()
    predict_by_form()
    wanted = logged_predictions(project)[1].prediction_id
    shown = app_page("history").run()
    shown.text_input(key="history_text").set_value(wanted).run()
    assert list(shown.dataframe[0].value["Identifier"]) == [wanted]


def test_what_became_true_is_kept_with_its_prediction(project: Workspace) -> None:
    shown = predict_by_form()
    newest = logged_predictions(project)[0]
    other = next(name for name in newest.probabilities if name != newest.prediction)
    shown.pills[0].set_value(other).run()
    shown.button(key=f"keep_{newest.prediction_id}").click().run()
    assert "Kept" in text_of(shown)
    assert logged_predictions(project)[0].outcome == other


def test_a_body_of_the_page_is_the_body_of_the_api(project: Workspace) -> None:
    shown = app_page("predict").run()
    examples = {name: one.example for name, one in load_params(project.root / "params.yaml").data.columns.items()}
    assert json.loads(str(shown.text_area(key="json_body").value)) == {"features": examples}
