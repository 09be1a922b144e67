"""Monitoring lists open incidents with links to their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page
from tests.app.views.incidents.test_incident_buttons import open_incident

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_an_open_incident_is_a_link_without_buttons(incident_project: Workspace) -> None:
    number = open_incident(incident_project, title="listed <one>", group_name="panel:a", severity="critical")
    at = app_page("monitoring").run()
    bodies = "".join(element.proto.body for element in at.get("html"))
    assert f'<a href="incidents?incident={number}">listed &lt;one&gt;</a>' in bodies
    assert list(at.button) == []
