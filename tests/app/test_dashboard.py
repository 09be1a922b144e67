"""The dashboard shows the product, the pages and the status of production in its sidebar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from app.views.overview import sidebar_panel
from tests.app.conftest import errors_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def _script() -> None:
    from app.dashboard import show_dashboard

    show_dashboard()


def test_the_sidebar_names_the_product_and_the_status_of_production(project: Workspace) -> None:
    at = AppTest.from_function(_script, default_timeout=60).run()
    printed = " ".join(element.value for kind in ("markdown", "caption", "html") for element in at.sidebar.get(kind))
    assert errors_of(at) == []
    assert sidebar_panel.PRODUCT in printed
