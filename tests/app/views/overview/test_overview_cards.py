"""A card without enough rows shows no value, and a day before without predictions is no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def _show_cards() -> None:
    from app import queries
    from app.page_queries import production_queries
    from app.views.overview import status_panel
    from app.views.overview.overview_cards import show_cards

    known = production_queries.production_facts().database.model
    assert known is not None
    show_cards(queries.versions("iris_model")[0], known, status_panel.production_status())


def test_an_empty_log_has_no_statistics(serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    at = AppTest.from_function(_show_cards, default_timeout=60).run()
    assert errors_of(at) == []
    assert {metric.label: (metric.value, metric.delta) for metric in at.metric} == {
        "Predictions, 24 h": ("0", ""),
        "Mean confidence, 24 h": ("-", ""),
        "Error rate, 24 h": ("-", ""),
        "Latency, 95th percentile": ("-", ""),
        "Open incidents": ("unknown", ""),
    }
