"""Streamlit recognizes the script as the server of the dashboard, and guards its requests."""

from streamlit.web.server.app_discovery import discover_asgi_app

from app import serve
from app.request_guard import RequestGuard
from tests.fixtures.toy_dataset import ROOT


def test_streamlit_finds_the_server_in_the_script():
    found = discover_asgi_app(ROOT / "app" / "serve.py")
    assert (found.is_asgi_app, found.import_string) == (True, "serve:streamlit_app")


def test_the_server_has_the_request_guard():
    assert [entry.cls for entry in serve.streamlit_app._user_middleware] == [RequestGuard]
