"""A session remembers when it saw the API respond, and asks it anew after a promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import text_of
from tests.fixtures.server_process import run_server

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def _show_api() -> None:
    import streamlit as st

    from app.views.overview.status_panel import production_status

    st.caption(production_status().component("api").text)


def test_an_api_that_stops_is_down_since_it_was_last_seen(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    with run_server(project.root) as server:
        monkeypatch.setenv("MLOPS_SERVER_URL", server.address)
        at = AppTest.from_function(_show_api, default_timeout=60).run()
        assert "is ready, last prediction" in text_of(at) or "no prediction is logged yet" in text_of(at)
    st.cache_data.clear()
    text = text_of(at.run())
    assert "does not respond (Connection refused), last seen" in text
    assert "run `mlops serve`" in text
