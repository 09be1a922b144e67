"""A prediction that a caller logs is validated, and stored as its columns declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import DataError
from tests.pipeline.monitoring.log_fixtures import (
    live_rows,
    make_monitor,
    production_package,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prediction": "other"}, "prediction: 'other' is not a class; expected one of "),
        ({"actual": "other"}, "actual: 'other' is not a class"),
        ({"confidence": 1.2}, "confidence: 1.2 is not a probability"),
        ({"features": [1, 2]}, "features: list is not supported; expected a mapping"),
        ({"features": {"x": float("inf")}}, "features: x: inf cannot be logged"),
        ({"request_id": "x" * 37}, "request_id: has 37 characters"),
    ],
)
def test_unloggable_values_are_refused(project: Path, given: dict[str, object], message: str) -> None:
    package, _ = production_package(project)
    usual = {"prediction": package.classes[0], "features": {}, "confidence": 0.9}
    with pytest.raises(DataError, match=message):
        make_monitor(project).log_prediction(**{**usual, **given})


def test_single_predictions_are_logged_as_in_the_examples(project: Path) -> None:
    monitor = make_monitor(project)
    package, version = production_package(project)
    frame = live_rows(3)
    names = list(package.schema.feature_names)
    classes = package.classes
    prediction_id = monitor.log_prediction(classes[0], frame[names].iloc[[0]], 0.8, classes[0])
    monitor.log_prediction(classes[1], frame[names].iloc[1], np.float64(0.7), classes[0], "request-1")
    monitor.log_prediction(prediction=classes[1], features={names[0]: None}, confidence=0.6)
    traffic = monitor.get_monitoring_dashboard_data(hours=1)
    assert len(prediction_id) == 36
    assert (traffic["total_predictions"], traffic["n_outcomes"]) == (3, 2)
    assert traffic["average_confidence"] == pytest.approx(0.7)
    assert traffic["predictions_by_class"] == {classes[0]: 1, classes[1]: 2}
    assert traffic["predictions_by_version"] == {str(version): 3}
    assert monitor.calculate_performance_metrics(1)["accuracy"] == 0.5
