"""A user without the role `viewer` sees the login of a page and nothing else, on each page and in each refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.app.conftest import PAGES, app_page, errors_of, log_in, text_of
from tests.app.views.predictions.test_predict_page import predict_by_form
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def reachable_by_others(_: AppTest) -> None:
    st.config.set_option("server.address", "0.0.0.0")


def logged_out(at: AppTest) -> None:
    log_in(at, is_logged_in=False)


def expired(at: AppTest) -> None:
    log_in(at, roles=["admin"], exp=1)


def without_roles(at: AppTest) -> None:
    log_in(at, roles=[])


def with_unknown_roles(at: AppTest) -> None:
    log_in(at, roles=["owner", 7, None])


def with_role_predict(at: AppTest) -> None:
    log_in(at, roles=["predict"])


UNAUTHORIZED = (reachable_by_others, logged_out, expired, without_roles, with_unknown_roles, with_role_predict)


def elements(at: AppTest) -> dict[str, int]:
    """Return the number of elements of each kind that a page has."""
    kinds: dict[str, int] = {}
    for element in list(at.main)[1:]:  # the first is the page itself
        kinds[element.type] = kinds.get(element.type, 0) + 1
    return kinds


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("visitor", UNAUTHORIZED)
def test_a_page_shows_a_visitor_without_the_role_the_login_alone(
    name: str, visitor: Callable[[AppTest], None], project: Workspace
) -> None:
    at = app_page(name)
    visitor(at)
    at.run()
    buttons = [button.key for button in at.button]
    can_log_in = visitor in (logged_out, expired)
    assert buttons == (["log_in"] if can_log_in else [])
    assert elements(at) == {"title": 1, "info": 1} | ({"button": 1} if can_log_in else {})
    assert len(at.info) == 1


@pytest.mark.parametrize("visitor", UNAUTHORIZED)
def test_the_sidebar_names_no_project_to_a_visitor(visitor: Callable[[AppTest], None], project: Workspace) -> None:
    at = AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=60)
    visitor(at)
    assert "personality" not in text_of(at.run())


@pytest.mark.parametrize("name", ["history", "monitoring"])
def test_a_page_that_refreshes_itself_ends_with_the_login(name: str, project: Workspace) -> None:
    predict_by_form()
    at = app_page(name)
    log_in(at, roles=["viewer"])
    assert errors_of(at.run()) == []
    assert [element.label for element in (*at.toggle, *at.selectbox) if element.label in ("Live", "Refresh")]
    log_in(at, is_logged_in=False)
    assert elements(at.run()) == {"title": 1, "info": 1, "button": 1}


def test_a_viewer_sees_the_pages(project: Workspace) -> None:
    for name in PAGES:
        at = app_page(name)
        log_in(at, roles=["viewer"])
        at.run()
        assert errors_of(at) == []
        assert [button.key for button in at.button if button.key == "log_in"] == []
