"""The wall has the sentence, a tile for each component, and each metric beside its value in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.views.overview.wall_page import wall_html
from pipeline.production_status import assess_production
from pipeline.production_status.production_metrics import ProductionMetric
from tests.app.conftest import app_page, errors_of, log_in
from tests.pipeline.production_status.status_scenarios import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def test_the_wall_names_states_in_words_and_metrics_with_their_training_value() -> None:
    status = assess_production(facts())
    html = wall_html(status, status.components, [ProductionMetric("log_loss", 0.235, 0.125, True, "degraded")])
    assert status.sentence in html
    assert html.count('class="tile healthy"') == len(status.components)
    assert "Log loss" in html
    assert "measured, training 0.1250 (+88%)" in html
    assert 'class="tile degraded"' in html


def test_names_are_escaped_and_missing_metrics_are_named() -> None:
    status = assess_production(facts())
    html = wall_html(status, [], [ProductionMetric("<b>", 1.0, 0.0, False, None)])
    assert "&lt;b&gt;" in html
    assert "No metrics against training yet" in wall_html(status, [], [])


def test_the_wall_shows_the_state_without_traffic_to_viewers_alone(serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    at = app_page("wall").run()
    assert errors_of(at) == []
    assert any("Production is" in element.proto.body for element in at.get("html"))
    visitor = app_page("wall")
    log_in(visitor, roles=[])
    assert not any("Production is" in element.proto.body for element in visitor.run().get("html"))
