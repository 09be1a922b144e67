"""Each state of production has its own color and word, and no state but healthy is green."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.views.overview.status_panel import component_markdown
from pipeline.production_status import ComponentStatus
from tests.app.conftest import text_of

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize(
    ("state", "color"), [("healthy", "green"), ("unknown", "gray"), ("degraded", "orange"), ("down", "red")]
)
def test_a_state_has_its_color(state: Any, color: str) -> None:
    line = component_markdown(ComponentStatus("api", state, "x", "x", "It is <so>", "run `mlops serve`"))
    assert line == f":{color}-badge[{state}] API\\: It is \\<so\\>\\. Next\\: run `mlops serve`"


def _show_status(state: str) -> None:
    from typing import get_args

    from app.views.overview.status_panel import show_production_status
    from pipeline.production_status import ComponentStatus, HealthState, ProductionStatus

    known = {name: name for name in get_args(HealthState)}
    components = (
        ComponentStatus("database", "healthy", "ok", "ok", "It can be read"),
        ComponentStatus("api", known[state], "x", "x", "It is so"),
    )
    show_production_status(ProductionStatus("m", 1, components))


@pytest.mark.parametrize("state", ["unknown", "degraded", "down"])
def test_the_headline_has_the_color_of_the_worst_state_and_healthy_components_share_a_line(state: str) -> None:
    at = AppTest.from_function(_show_status, args=(state,), default_timeout=60).run()
    text = text_of(at)
    assert not list(at.exception)
    assert "green[" not in text.replace("green-badge[", "")
    assert f"-badge[{state}] API" in text
    assert ":green-badge[healthy] State database" in text
