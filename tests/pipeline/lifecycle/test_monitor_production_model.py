"""The Production version is monitored on a DataFrame, or on the prediction log."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline import MLOpsPipeline
from pipeline.errors import DataError
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, live_rows, production_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mlops(project: Path) -> MLOpsPipeline:
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    return MLOpsPipeline("tries", MODEL_NAME, root=project)


def test_frames_are_evaluated_with_and_without_a_reference(mlops: MLOpsPipeline, project: Path) -> None:
    package = production_package(project)[0]
    recent, reference = live_rows(800, 1), live_rows(1_200, 2)
    number = next(one.name for one in package.schema.features if one.is_numeric)
    shifted = recent.assign(**{number: recent[number].max()})
    calm = mlops.monitor_production_model(prediction_data=recent, reference_data=reference)
    loud = mlops.monitor_production_model(shifted)
    assert (calm["drift"]["drift_detected"], calm["drift"]["multivariate"]["verdict"]) == (False, "stable")
    assert number in loud["drift"]["drifted_features"]
    assert (loud["model"], loud["dashboard"]["total_predictions"]) == (MODEL_NAME, 800)
    truth = recent[package.schema.target.column].astype(str).to_numpy()
    assert calm["performance"]["accuracy"] == pytest.approx((package.predict(recent) == truth).mean())
    assert calm["performance"]["n_outcomes"] == 800


def test_rows_without_outcomes_get_estimated_performance(mlops: MLOpsPipeline, project: Path) -> None:
    package = production_package(project)[0]
    recent = live_rows(300)[list(package.schema.feature_names)]
    report = mlops.monitor_production_model(recent)
    assert (report["performance"]["accuracy"], report["performance"]["n_outcomes"]) == (None, 0)
    assert report["performance"]["estimated"]["accuracy"]["value"] == pytest.approx(
        package.predict_proba(recent).max(axis=1).mean(), abs=1e-6
    )
    assert report["degradation"]["degradation_detected"] is False


def test_without_rows_the_log_is_evaluated(mlops: MLOpsPipeline) -> None:
    report = mlops.monitor_production_model()
    assert (report["dashboard"]["total_predictions"], report["drift"]["verdict"]) == (0, "not_enough_data")


def test_a_frame_of_something_else_is_refused(mlops: MLOpsPipeline) -> None:
    with pytest.raises(DataError, match="prediction_data: has no rows with columns of the model; expected a frame"):
        mlops.monitor_production_model(live_rows(5).add_prefix("other_"))
