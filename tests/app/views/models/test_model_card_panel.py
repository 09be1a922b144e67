"""The headings of a model card are smaller than the title of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.views.models.model_card_panel import below_page_title
from tests.app.conftest import app_page, text_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize(
    ("card", "expected"),
    [("# Title", "#### Title"), ("a\n## Part\nb", "a\n##### Part\nb"), ("#### Deep", "###### Deep"), ("#tag", "#tag")],
)
def test_headings_are_three_levels_lower(card: str, expected: str) -> None:
    assert below_page_title(card) == expected


def test_the_page_has_the_card_with_test_metrics_and_gates(project: Workspace) -> None:
    at = app_page("models")
    at.query_params["models_tab"] = "Model card"
    text = text_of(at.run())
    assert "##### Performance" in text
    assert "##### Gates" in text
