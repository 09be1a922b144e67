"""Live metrics of versions need enough outcomes, and name their number before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, tables_of
from tests.app.views.models.test_promotion_form import registry

if TYPE_CHECKING:
    from pipeline.registry import ModelRegistry

__all__ = ["registry"]
pytestmark = pytest.mark.xdist_group("app")


def _live_metrics() -> None:
    from app import queries
    from app.views.models.live_comparison import show_live_comparison

    first, second = queries.versions(queries.config().name)
    show_live_comparison((first, second))


def test_too_few_outcomes_give_no_metric_but_the_number_that_is_needed(registry: ModelRegistry) -> None:
    assert len(registry.list_models()) == 2
    at = AppTest.from_function(_live_metrics, default_timeout=60).run()
    assert errors_of(at) == []
    (table,) = tables_of(at)
    assert table["Live metric"].tolist() == [
        "Predictions",
        "Outcomes",
        "Latency (p95)",
        "Latency and size at its gates",
    ]
    assert table["Version 1"].tolist() == ["0", "0 of 200 rows needed", "-", "-"]
