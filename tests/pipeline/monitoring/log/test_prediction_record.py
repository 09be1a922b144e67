"""A prediction that a caller logs is validated, and stored as its columns declare."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import update

from pipeline.errors import Conflict, DataError
from pipeline.state import open_state
from pipeline.state.tables import predictions
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


CHANGES: dict[str, dict[str, object]] = {
    "prediction": {"prediction": "Introvert"},
    "confidence": {"confidence": 0.7},
    "features": {"features": {"Time_spent_Alone": 5.0}},
    "an earlier outcome": {"actual": "Introvert"},
}


def log_order(project: Path, **changes: object) -> str:
    usual = {"prediction": "Extrovert", "features": {"Time_spent_Alone": 4.0}, "confidence": 0.9, "actual": "Extrovert"}
    return make_monitor(project).log_prediction(**{**usual, "request_id": "order-1", **changes})


def test_a_repeated_request_id_with_the_same_content_is_a_retry(project: Path) -> None:
    log_order(project, actual=None)
    for _ in range(2):  # the process was killed before it wrote the outcome
        assert log_order(project) == "order-1"
    make_monitor(project).log_outcome("order-1", "Introvert")
    log_order(project)
    traffic = make_monitor(project).get_monitoring_dashboard_data(hours=1)
    assert (traffic["total_predictions"], traffic["n_outcomes"]) == (1, 1)
    assert make_monitor(project).calculate_performance_metrics(1)["accuracy"] == 0.0


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_repeated_request_id_with_other_content_is_a_conflict(project: Path, changes: dict[str, object]) -> None:
    log_order(project)
    with pytest.raises(Conflict, match=r"request_id: 'order-1' (belongs to a prediction with another|has the outcome)"):
        log_order(project, **changes)


def test_a_request_id_of_another_model_is_a_conflict(project: Path) -> None:
    log_order(project, actual=None)
    with closing(open_state(project)) as state, state.writing() as connection:
        connection.execute(update(predictions).values(model="champion"))
    with pytest.raises(Conflict, match=r"'order-1' belongs to a prediction of model 'champion'; .* another request_id"):
        log_order(project, actual=None)


def test_a_request_id_of_another_chosen_version_is_a_conflict(project: Path) -> None:
    log_order(project, actual=None)
    _, version = production_package(project)
    with closing(open_state(project)) as state, state.writing() as connection:
        connection.execute(update(predictions).values(version=version + 1))
    assert log_order(project, actual=None) == "order-1"  # a retry after a promotion
    challenger = replace(make_monitor(project), version=version)
    with pytest.raises(Conflict, match=rf"belongs to a prediction of version {version + 1}; .* another request_id"):
        challenger.log_prediction("Extrovert", {"Time_spent_Alone": 4.0}, 0.9, request_id="order-1")


def test_a_logged_prediction_has_the_source_library(project: Path) -> None:
    log_order(project)
    by_source = make_monitor(project).get_monitoring_dashboard_data(hours=1)["predictions_by_source"]
    assert by_source == {"library": 1}
