"""The result of a prediction shows contributions and what-if."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app import queries
from pipeline.package import PackageStore
from pipeline.project import paths
from tests.app.conftest import text_of
from tests.app.views.test_predict_page import predict_by_form
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_a_prediction_shows_contributions_and_what_if(project: Workspace) -> None:
    at = predict_by_form()
    at.session_state["what_if_form"] = True
    at.run()
    assert [expander.label for expander in at.expander] == [
        "Feature contributions",
        "What-if",
        "Record the actual outcome",
    ]
    assert "the prediction" in text_of(at)
    assert "flips" in text_of(at)


def test_the_prediction_of_a_challenger_is_explained_by_its_package(project: Workspace, tmp_path: Path) -> None:
    at = predict_by_form(is_logged=False)
    champion = at.session_state["last_result_form"]["prediction"]
    write_small_package(tmp_path / "challenger", "personality", "model=naive_bayes", n_rows=400)
    digest = PackageStore(project.root / paths.PACKAGES).add(tmp_path / "challenger").digest
    explainers = [
        queries.prediction_explainer(name, served_by="production") for name in (champion["model_digest"], digest)
    ]
    assert [explainer.package.digest for explainer in explainers] == [champion["model_digest"], digest]
    features = at.session_state["last_result_form"]["features"]
    first, second = (explainer.explain(explainer.parse_request(features)) for explainer in explainers)
    assert first.confidence == pytest.approx(champion["confidence"])
    assert first.contributions != second.contributions
