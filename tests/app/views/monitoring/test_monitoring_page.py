"""The monitoring page shows drift by hour; operators act on incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import UsageError
from pipeline.monitoring import ModelMonitor
from tests.app.conftest import app_page, errors_of
from tests.app.drifting_day import log_drifting_day
from tests.app.views.predictions.test_predict_page import predict_by_form
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_a_drifted_feature_is_first_and_a_link_selects_moment_metric_slice_and_traffic(project: Workspace) -> None:
    label = log_drifting_day(project.root)
    at = app_page("monitoring").run()
    assert errors_of(at) == []
    assert at.selectbox(key="drift_column").options[0] == f"{label}: drift"
    at.selectbox(key="drift_at").select_index(1)
    at.selectbox(key="performance_metric").select("accuracy")
    at.segmented_control(key="performance_by").set_value("slice").run()
    linked = app_page("monitoring")
    for name, value in at.query_params.items():
        linked.query_params[name] = value
    linked.query_params["traffic_open"] = "true"
    linked.run()
    assert "traffic_scale" not in [control.key for control in at.segmented_control]
    assert linked.segmented_control(key="traffic_scale").value == "counts"
    keys = ("drift_column", "drift_at", "performance_metric", "performance_slice")
    assert [linked.selectbox(key=key).value for key in keys] == [at.selectbox(key=key).value for key in keys]
    linked.segmented_control(key="baseline").set_value("previous_window").run()
    linked.segmented_control(key="monitoring_range").set_value("1h").run()
    assert (errors_of(at), errors_of(linked)) == ([], [])


def test_the_predictions_of_the_selected_version_are_counted(project: Workspace) -> None:
    predict_by_form()
    at = app_page("monitoring").run()
    cards = {metric.label: metric.value for metric in at.metric}
    monitor = ModelMonitor(MODEL_NAME, project.root, version=1)
    assert cards["Predictions"] == f"{monitor.get_monitoring_dashboard_data(24)['total_predictions']:,}"
    with pytest.raises(UsageError, match="no version 9; known: 1"):
        ModelMonitor(MODEL_NAME, project.root, version=9).get_monitoring_dashboard_data(24)
