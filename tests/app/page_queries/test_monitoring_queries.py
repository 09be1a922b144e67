"""The activity of a project is that of its log."""

from __future__ import annotations

import pytest

from app.page_queries import monitoring_queries
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("empty")
def test_a_project_without_state_has_no_activity() -> None:
    activity = monitoring_queries.hourly_activity(MODEL_NAME, 24)
    assert (activity.predictions, activity.outcomes) == ((), ())
