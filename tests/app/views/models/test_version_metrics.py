"""The evaluation of a version has its metrics, slices, calibration and curves under the field's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import errors_of, tables_of, text_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def _evaluation_of_version_1() -> None:
    from app import queries
    from app.views.models.version_metrics import show_version_metrics

    show_version_metrics(queries.versions(queries.config().name)[0])


def test_each_part_of_the_evaluation_is_shown(project: Workspace) -> None:
    at = AppTest.from_function(_evaluation_of_version_1, default_timeout=60).run()
    assert errors_of(at) == []
    text = text_of(at)
    for heading in (
        "Feature importance (permutation)",
        "Worst slices",
        "Calibration",
        "Confusion matrix",
        "ROC curve",
        "Precision-recall curve",
    ):
        assert f"**{heading}**" in text
    metrics = tables_of(at)[0]
    assert list(metrics.columns)[:5] == ["Metric", "Value", "Interval", "Better", "Unit"]
    assert dict(zip(metrics["Metric"], metrics["Better"], strict=True))["Log loss"] == "lower"
