"""The health summary shows drift and performance of the last 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from app.views.overview.health_summary import describe_other_traffic, version_with_traffic
from tests.app.conftest import errors_of, text_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def _health_of_version_1() -> None:
    from app import queries
    from app.views.overview.health_summary import show_health_summary

    versions = queries.versions(queries.config().name)
    show_health_summary(versions[0], versions, show_beside=lambda: None)


def test_both_parts_name_the_last_24_hours(project: Workspace) -> None:
    at = AppTest.from_function(_health_of_version_1, default_timeout=60).run()
    assert errors_of(at) == []
    assert "**Feature drift of version 1, last 24 hours**" in text_of(at)
    assert "**Performance of version 1 against training, last 24 hours**" in text_of(at)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({2: 0, 1: 10_673}, 1),
        ({2: 199, 1: 200}, 1),
        ({2: 200, 1: 10_673}, 2),
        ({2: 0, 1: 199}, 2),
        ({3: 5, 2: 300, 1: 400}, 1),
        ({}, 2),
    ],
)
def test_the_version_with_enough_rows_is_shown_after_a_promotion(counts: dict[int, int], expected: int) -> None:
    assert version_with_traffic(counts, 3 if 3 in counts else 2, min_rows=200) == expected


def test_the_traffic_of_each_version_is_named() -> None:
    assert describe_other_traffic({3: 1, 2: 0, 1: 7}, 3, "the last hour") == (
        "Version 3 made 1 prediction in the last hour; version 1 made 7."
    )
    assert describe_other_traffic({}, 3, "the last hour") == "Version 3 made no predictions in the last hour."
