"""Two versions are compared and decided about in one view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, text_of
from tests.app.views.models.test_promotion_form import registry, stages

if TYPE_CHECKING:
    from pipeline.registry import ModelRegistry

__all__ = ["registry"]
pytestmark = pytest.mark.xdist_group("app")


def test_production_is_compared_with_the_newest_promoted_and_rolled_back_with_a_reason(registry: ModelRegistry) -> None:
    at = app_page("compare").run()
    assert [box.value for box in at.selectbox] == [1, 2]
    assert "Version 2 was not compared with version 1" in text_of(at).replace("\\", "")
    at.button(key="decide_2_at_1_promote").click().run()
    assert "Enter a reason" in errors_of(at)[0]
    at.text_area(key="decide_2_at_1_reason").set_value("the owner asked for it")
    at.checkbox(key="decide_2_at_1_force").check()
    at.button(key="decide_2_at_1_promote").click().run()
    assert (errors_of(at), stages(registry)) == ([], ["Archived", "Production"])
    assert "Production is version 2" in text_of(at)
    assert "ada forced it: the owner asked for it" in text_of(at).replace("\\", "")
    assert [box.value for box in at.selectbox] == [1, 2]
    assert [area.value for area in at.text_area] == [""]
    rollback = at.button(key="decide_1_at_2_rollback")
    assert rollback.label == "Roll back to version 1"
    at.text_area(key="decide_1_at_2_reason").set_value("worse")
    rollback.click().run()
    assert stages(registry) == ["Production", "Archived"]
