"""The sidebar has the sentence about production word for word, in the color of its state, and links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def _show_sidebar() -> None:
    import streamlit as st

    from app import navigation
    from app.views.overview import sidebar_panel, status_panel

    navigation.register_pages()
    sidebar_panel.show_status("Overview")
    st.text(status_panel.production_status().sentence)


def test_the_sidebar_has_the_same_sentence_as_every_entry_point(serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    at = AppTest.from_function(_show_sidebar, default_timeout=60).run()
    assert errors_of(at) == []
    text = text_of(at).replace("\\", "").replace("`", "")
    assert at.text[0].value.replace("`", "") in text
    assert text.startswith("**:orange[:material/warning: Production is degraded")
    assert "Monitor: never ran" in text


def test_a_project_without_results_has_no_status(empty: object) -> None:
    at = AppTest.from_function(_show_sidebar, default_timeout=60).run()
    assert "Production is" not in text_of(at)
