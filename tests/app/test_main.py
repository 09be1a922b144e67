"""The app opens on the overview and lists every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_app_opens_on_the_overview(project: Workspace) -> None:
    at = AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=60).run()
    assert ([title.value for title in at.title], errors_of(at)) == (["Overview"], [])
