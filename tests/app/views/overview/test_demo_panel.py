"""A project with a version and without traffic offers the demo, and never where it could reach production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, log_in, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def _show_offer() -> None:
    from app.views.overview.demo_panel import show_banner, show_offer

    show_banner()
    show_offer()


def test_the_offer_needs_the_role_operator_and_the_own_database(
    serving: Callable[[str], ModelRegistry], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving("iris")
    at = AppTest.from_function(_show_offer, default_timeout=60).run()
    assert errors_of(at) == []
    assert [button.label for button in at.button] == ["Load it now"]
    assert "Nothing of it counts as production" in text_of(at)
    monkeypatch.setenv("MLOPS_API_URL", "http://127.0.0.1:9")
    assert not at.run().button
    monkeypatch.delenv("MLOPS_API_URL")
    viewer = AppTest.from_function(_show_offer, default_timeout=60)
    log_in(viewer, roles=["viewer"])
    assert not viewer.run().button
