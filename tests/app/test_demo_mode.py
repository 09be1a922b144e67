"""The demo belongs to a session and its address, and ends when it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path


def _show_folder() -> None:
    import streamlit as st

    from app import demo_mode, links

    demo_mode.follow_address()
    st.text(demo_mode.project_root().name)
    st.text(links.page_address("models", version=2))


def _texts(at: AppTest) -> list[str]:
    return [str(element.value) for element in at.text]


def test_a_session_shows_the_demo_that_its_address_names(empty: Path) -> None:
    at = AppTest.from_function(_show_folder)
    at.query_params["demo"] = "1"
    assert _texts(at.run()) == [empty.name, "models?version=2"]
    (empty / paths.DEMO).mkdir(parents=True)
    (empty / paths.DEMO / paths.PARAMS).touch()
    at.query_params["demo"] = "1"
    assert _texts(at.run()) == ["demo", "models?version=2&demo=1"]
    del at.query_params["demo"]
    assert _texts(at.run())[0] == "demo"
    assert _texts(AppTest.from_function(_show_folder).run())[0] == empty.name


@pytest.mark.parametrize("name", ["MLOPS_STATE_URL", "MLOPS_API_URL"])
def test_no_session_shows_a_demo_whose_actions_would_reach_production(
    name: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / paths.DEMO).mkdir(parents=True)
    (empty / paths.DEMO / paths.PARAMS).touch()
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    at = AppTest.from_function(_show_folder)
    at.query_params["demo"] = "1"
    assert _texts(at.run()) == [empty.name, "models?version=2"]
