"""Errors become messages with the next step; unexpected errors go to the log."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, text_of

pytestmark = pytest.mark.xdist_group("app")


def _page_that_raises(name: str, message: str) -> None:
    from app import page
    from pipeline import errors

    def body() -> None:
        error = getattr(errors, name, None)
        raise error(message) if error is not None else ZeroDivisionError(message)

    page.render_page("Title", "Description", body)


def show(name: str, message: str = "conf/x.yaml: why") -> AppTest:
    return AppTest.from_function(_page_that_raises, kwargs={"name": name, "message": message}, default_timeout=60).run()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("ConfigError", "Invalid setting"),
        ("UnknownOption", "Invalid setting"),
        ("GateRefused", "Promotion blocked: gates failed"),
        ("Conflict", "The state changed since you opened this page"),
        ("DependencyUnavailable", "A service or database is unreachable"),
        ("IntegrityError", "A stored file or row was changed or damaged"),
        ("NotAllowed", "Not allowed"),
        ("UsageError", "Invalid request"),
    ],
)
def test_each_error_has_a_title_and_its_message(name: str, title: str) -> None:
    at = show(name)
    assert errors_of(at)[0].startswith(f"**{title}.**")
    assert [code.value for code in at.code] == ["conf/x.yaml: why"]
    assert [element.value for element in at.title] == ["Title"]


def test_missing_results_are_a_note_and_no_error() -> None:
    at = show("DataError", "run `make run` first")
    assert errors_of(at) == []
    assert "No results yet" in text_of(at)
    assert "run `make run` first" in text_of(at)


def test_an_unexpected_error_is_logged_and_its_message_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    at = show("ZeroDivisionError", "a secret")
    assert errors_of(at) == ["An internal error occurred in this part of the page. The app's log has the traceback."]
    assert "a secret" not in text_of(at)
    assert "a secret" in caplog.text
