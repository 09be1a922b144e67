"""The health summary shows drift and performance of the last 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, text_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def _health_of_version_1() -> None:
    from app import queries
    from app.views.health_summary import show_health_summary

    show_health_summary(queries.versions(queries.config().name)[0])


def test_both_parts_name_the_last_24_hours(project: Workspace) -> None:
    at = AppTest.from_function(_health_of_version_1, default_timeout=60).run()
    assert errors_of(at) == []
    assert "**Feature drift, last 24 hours**" in text_of(at)
    assert "**Performance against training, last 24 hours**" in text_of(at)
