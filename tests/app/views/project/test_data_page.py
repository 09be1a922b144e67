"""The data page shows the quality score with its weights, the checks and the split of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.files import read_json
from tests.app.conftest import app_page, tables_of, text_of

if TYPE_CHECKING:
    import pandas as pd

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def validation(project: Workspace) -> dict[str, Any]:
    report: dict[str, Any] = read_json(project.root / "reports/validation.json")
    return report


def table_with(column: str, tables: list[pd.DataFrame]) -> pd.DataFrame:
    return next(table for table in tables if column in table.columns)


def test_the_cards_and_the_points_are_those_of_the_validation_report(validation: dict[str, Any]) -> None:
    at = app_page("data").run()
    cards = {metric.label: metric.value for metric in at.metric}
    assert cards["Quality"] == f"{validation['quality_score']:.1f} of 100"
    assert cards["Rows"] == f"{validation['rows']:,}"
    assert cards["Quarantined"] == f"{validation['quarantined']:,}"
    points = table_with("Points", tables_of(at))["Points"].astype(float).tolist()
    assert sum(points[:-1]) == pytest.approx(points[-1], abs=0.21)  # each is rounded to 0.1


def test_each_feature_has_a_row_and_its_warnings_link_to_it(validation: dict[str, Any]) -> None:
    at = app_page("data").run()
    tables = tables_of(at)
    features = table_with("Distinct", tables)
    assert len(features) == len(validation["distributions"])
    assert {"Min", "Mean", "Max", "Outliers", "Missing", "Warnings"} <= set(features.columns)
    column = next(finding["column"] for finding in validation["findings"] if finding["column"])
    links = "".join(html.proto.body for html in at.get("html"))
    assert f"data?data_tab=Features&amp;column={column}" in links


def test_an_address_selects_a_feature(validation: dict[str, Any]) -> None:
    last = list(validation["distributions"])[-1]
    at = app_page("data")
    at.query_params["column"] = last
    assert at.run().selectbox(key="data_column").value == last


def test_the_split_names_its_sizes_and_its_verdict(project: Workspace) -> None:
    sizes = read_json(project.root / "reports/split.json")["sizes"]
    at = app_page("data").run()
    text = text_of(at)
    assert f"train: **{sizes['train']:,} rows**, test: **{sizes['test']:,} rows**" in text
    assert "Train and test follow the same distribution." in text
    assert set(table_with("p-value", tables_of(at))["Verdict"]) == {"stable"}
