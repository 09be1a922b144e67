"""The prediction log is empty before the first registration."""

from __future__ import annotations

import pytest

from app.page_queries import prediction_queries
from pipeline.state import PredictionQuery
from pipeline.state.prediction_search import PredictionCount

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("empty")
def test_before_the_first_registration_the_log_is_empty() -> None:
    search = PredictionQuery("model")
    assert prediction_queries.logged_predictions(search, limit=5).predictions == ()
    assert prediction_queries.count_logged_predictions(search, max_count=5) == PredictionCount(0, None)
    assert prediction_queries.find_prediction_history("a") is None
    assert prediction_queries.last_outcome("a") is None
    assert not prediction_queries.is_logged("a")
    assert prediction_queries.export_predictions(search, "csv") == b""
