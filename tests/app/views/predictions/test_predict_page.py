"""The app predicts from a form, JSON and a file, and logs only if a user with the role selects it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import pytest

from app import queries
from app.login import User
from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.files import read_parquet
from tests.app.conftest import app_page, errors_of, tables_of, text_of

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
    """Return the newest logged predictions, newest first."""
    return list(query_log(project, store.search_predictions).predictions)


def count_logged(project: Workspace) -> int:
    """Return the number of logged predictions."""
    return query_log(project, store.count_predictions).n


def unlabeled_csv(project: Workspace, n: int = 3) -> str:
    """Return rows of the test set as CSV, without the target."""
    config = load_params(project.root / "params.yaml")
    frame = read_parquet(project.root / "data/test.parquet")[list(config.data.columns)]
    return str(frame.head(n).to_csv(index=False))


def predict_page(*, is_logged: bool = True) -> AppTest:
    """Return the page, with predictions to be logged."""
    at = app_page("predict").run()
    return at.checkbox(key="log_prediction").check().run() if is_logged else at


def predict_by_form(*, is_logged: bool = True) -> AppTest:
    at = predict_page(is_logged=is_logged)
    at.button[0].click().run()
    return at


def predict_by_json() -> AppTest:
    at = app_page("predict").run()
    at.button(key="json_predict").click().run()
    return at


def predict_by_file(project: Workspace, *, is_logged: bool = True) -> AppTest:
    at = predict_page(is_logged=is_logged)
    at.file_uploader(key="batch_file").set_value([("rows.csv", unlabeled_csv(project).encode(), "text/csv")]).run()
    at.button(key="batch_predict").click().run()
    return at


def test_the_form_predicts_and_logs_the_features(project: Workspace) -> None:
    before = count_logged(project)
    at = predict_by_form()
    newest = logged_predictions(project)[0]
    assert (errors_of(at), count_logged(project) - before) == ([], 1)
    assert (at.metric[0].value, newest.source) == (newest.prediction, "app")
    examples = {name: column.example for name, column in load_params(project.root / "params.yaml").data.columns.items()}
    assert newest.features == examples


@pytest.mark.parametrize(
    "predict",
    [
        lambda _: predict_by_form(is_logged=False),
        lambda _: predict_by_json(),
        lambda project: predict_by_file(project, is_logged=False),
    ],
    ids=["form", "JSON", "file"],
)
def test_a_prediction_is_not_logged_by_default(predict: Callable[[Workspace], AppTest], project: Workspace) -> None:
    before = count_logged(project)
    at = predict(project)
    assert (errors_of(at), count_logged(project)) == ([], before)
    assert "prediction" in at.dataframe[-1].value.columns if at.dataframe else "not logged" in text_of(at)


def test_a_viewer_tries_the_model_and_cannot_log(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "current_user", lambda: User("ada", "ada", frozenset({"viewer"})))
    before = count_logged(project)
    at = predict_by_form(is_logged=False)
    assert (errors_of(at), at.checkbox(key="log_prediction").disabled) == ([], True)
    assert ("not logged" in text_of(at), count_logged(project)) == (True, before)


@pytest.mark.parametrize(
    ("body", "message"),
    [("{", "JSON"), ('{"features": {"nonsense": 1}}', "nonsense"), ('{"features": {}, "features": {}}', "features")],
)
def test_an_invalid_body_is_refused_with_its_field_and_not_logged(body: str, message: str, project: Workspace) -> None:
    before = count_logged(project)
    at = app_page("predict").run()
    at.text_area(key="json_body").set_value(body).run()
    at.button(key="json_predict").click().run()
    assert "in the request; no prediction was made" in at.error[0].value
    assert message in tables_of(at)[0].to_string()
    assert count_logged(project) == before


def test_the_json_example_is_a_request_body_of_the_api(project: Workspace) -> None:
    at = app_page("predict").run()
    examples = {name: column.example for name, column in load_params(project.root / "params.yaml").data.columns.items()}
    assert json.loads(str(at.text_area(key="json_body").value)) == {"features": examples}
