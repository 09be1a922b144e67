"""With an address the app asks the HTTP API: the same pages, the reader's token, and plain words when nobody answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.api_client import ApiClient
from pipeline import state as store
from pipeline.errors import ConfigError, DependencyUnavailable
from tests.app.conftest import app_page, errors_of, text_of
from tests.app.views.test_predict_page import count_logged, logged_predictions, unlabeled_csv
from tests.fixtures.server_process import RunningServer, run_server
from tests.pipeline.serving.http.oidc_issuer import run_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture(scope="module")
def keys(_copied: Workspace) -> dict[str, str]:
    """A key with every role, and one that only looks."""
    state = store.open_state(_copied.root)
    try:
        return {role: store.create_api_key(state, role, name=role, actor="ada")[0] for role in ("admin", "viewer")}
    finally:
        state.close()


@pytest.fixture(scope="module")
def server(_copied: Workspace, keys: dict[str, str]) -> Iterator[RunningServer]:
    """A server on the finished project that asks for credentials."""
    with run_server(_copied.root, "--authentication", "required") as one:
        yield one


@pytest.fixture
def api(server: RunningServer, keys: dict[str, str], project: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The project, whose app asks the server and has a key with every role."""
    monkeypatch.setenv("MLOPS_API_URL", server.address)
    monkeypatch.setenv("MLOPS_API_TOKEN", keys["admin"])
    return project


def test_the_form_is_answered_explained_and_varied_by_the_api(api: Workspace) -> None:
    before = count_logged(api)
    shown = app_page("predict").run()
    shown.button[0].click().run()
    assert (errors_of(shown), count_logged(api) - before) == ([], 1)
    assert shown.metric[0].value == logged_predictions(api)[0].prediction
    shown.session_state["what_if_form"] = True
    shown.run()
    assert any(("column" in one.value and "alone" in one.value) or "turns when" in one.value for one in shown.markdown)


def test_what_became_true_reaches_the_api(api: Workspace) -> None:
    shown = app_page("predict").run()
    shown.button[0].click().run()
    newest = logged_predictions(api)[0]
    shown.pills[0].set_value(newest.prediction).run()
    shown.button(key=f"keep_{newest.prediction_id}").click().run()
    assert (errors_of(shown), logged_predictions(api)[0].outcome) == ([], newest.prediction)


def test_a_file_is_answered_by_the_api(api: Workspace) -> None:
    shown = app_page("predict").run()
    shown.file_uploader(key="batch_file").set_value([("rows.csv", unlabeled_csv(api).encode(), "text/csv")]).run()
    shown.button(key="batch_predict").click().run()
    answers = next(one.value for one in shown.dataframe if "prediction_id" in one.value.columns)
    assert list(answers["prediction_id"]) == [one.prediction_id for one in reversed(logged_predictions(api)[:3])]


def test_a_body_that_the_api_refuses_is_told_with_its_place(api: Workspace) -> None:
    shown = app_page("predict").run()
    shown.text_area(key="json_body").set_value('{"features": {"nonsense": 1}}').run()
    shown.button(key="json_predict").click().run()
    assert "Refused for" in shown.error[0].value
    assert "nonsense" in shown.dataframe[0].value.to_string()


def test_a_token_without_the_role_is_told_in_words(
    api: Workspace, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_API_TOKEN", keys["viewer"])
    shown = app_page("predict").run()
    shown.button[0].click().run()
    assert "This is not allowed" in shown.error[0].value
    assert any("this needs the role predict" in one.value for one in shown.code)


@pytest.mark.parametrize("name", ["overview", "predict"])
def test_a_dead_api_gives_a_page_that_says_what_to_do(
    name: str, project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_API_URL", "http://127.0.0.1:9")
    shown = app_page(name).run()
    said = text_of(shown) + "".join(one.proto.help for one in shown.metric)
    assert (list(shown.exception), "mlops serve" in said) == ([], True)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="MLOPS_API_URL: 'localhost:5000' is no address"):
        ApiClient("localhost:5000", None, 10)


def test_a_server_that_is_not_ours_is_told_apart() -> None:
    with run_issuer() as stranger, pytest.raises(DependencyUnavailable, match="our API does not say"):
        ApiClient(stranger.address, None, 10).status()
