"""With MLOPS_API_URL the app predicts through the HTTP API, with the user's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.page_queries.api_client import ApiClient
from pipeline import state as store
from pipeline.errors import ConfigError, DependencyUnavailable
from tests.app.conftest import app_page, errors_of, tables_of, text_of
from tests.app.views.predictions.test_predict_page import (
    count_logged,
    logged_predictions,
    predict_by_file,
    predict_by_form,
)
from tests.fixtures.server_process import RunningServer, run_server
from tests.pipeline.serving.http.oidc_issuer import run_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.app.conftest import Copies
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture(scope="module")
def keys(_copies: Copies) -> dict[str, str]:
    """A key with every role, and one of a viewer."""
    state = store.open_state(_copies("app").root)
    try:
        return {role: store.create_api_key(state, role, name=role, actor="ada")[0] for role in ("admin", "viewer")}
    finally:
        state.close()


@pytest.fixture(scope="module")
def server(_copies: Copies, keys: dict[str, str]) -> Iterator[RunningServer]:
    """A server on the finished project that requires credentials."""
    with run_server(_copies("app").root, "--authentication", "required") as running:
        yield running


@pytest.fixture
def api(server: RunningServer, keys: dict[str, str], project: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The project; the app uses the server with the key of an admin."""
    monkeypatch.setenv("MLOPS_API_URL", server.address)
    monkeypatch.setenv("MLOPS_API_TOKEN", keys["admin"])
    return project


def test_the_api_predicts_and_explains_the_form(api: Workspace) -> None:
    before = count_logged(api)
    at = predict_by_form()
    newest = logged_predictions(api)[0]
    assert (errors_of(at), count_logged(api) - before) == ([], 1)
    assert (at.metric[0].value, newest.source) == (newest.prediction, "app")
    at.session_state["what_if_form"] = True
    at.run()
    assert "flips the prediction" in text_of(at)


def test_the_api_stores_an_outcome(api: Workspace) -> None:
    at = predict_by_form()
    newest = logged_predictions(api)[0]
    at.pills[0].set_value(newest.prediction).run()
    at.button(key=f"save_{newest.prediction_id}").click().run()
    assert (errors_of(at), logged_predictions(api)[0].outcome) == ([], newest.prediction)


def test_the_api_predicts_a_file(api: Workspace) -> None:
    at = predict_by_file(api)
    tables = [element.value for element in at.dataframe]
    predictions = next(table for table in tables if "prediction_id" in table.columns)
    assert list(predictions["prediction_id"]) == [
        logged.prediction_id for logged in reversed(logged_predictions(api)[:3])
    ]


def test_a_body_that_the_api_refuses_is_shown_with_its_field(api: Workspace) -> None:
    at = app_page("predict").run()
    at.text_area(key="json_body").set_value('{"features": {"nonsense": 1}}').run()
    at.button(key="json_predict").click().run()
    assert "in the request; no prediction was made" in at.error[0].value
    assert "nonsense" in tables_of(at)[0].to_string()


def test_a_viewer_tries_the_model_through_the_api_and_nothing_is_logged(
    api: Workspace, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_API_TOKEN", keys["viewer"])
    before = count_logged(api)
    at = predict_by_form(is_logged=False)
    assert (errors_of(at), "not logged" in text_of(at), count_logged(api)) == ([], True, before)


def test_a_token_without_the_role_is_reported(
    api: Workspace, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_API_TOKEN", keys["viewer"])
    at = predict_by_form()
    assert "Not allowed" in at.error[0].value
    assert any("needs the role predict" in code.value for code in at.code)


@pytest.mark.parametrize("name", ["overview", "predict"])
def test_an_unreachable_api_is_reported_with_the_start_command(
    name: str, project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_API_URL", "http://127.0.0.1:9")
    at = app_page(name).run()
    text = text_of(at) + "".join(metric.proto.help for metric in at.metric)
    assert (list(at.exception), "mlops serve" in text) == ([], True)


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="MLOPS_API_URL: 'localhost:5000' is not a URL"):
        ApiClient("localhost:5000", None, 10)


def test_another_server_is_recognized() -> None:
    with run_issuer() as issuer, pytest.raises(DependencyUnavailable, match="a body that the API never sends"):
        ApiClient(issuer.address, None, 10).status()
