"""The data page shows the quality score, the checks and the split of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.files import read_json
from tests.app.conftest import app_page, text_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_cards_are_those_of_the_validation_report(project: Workspace) -> None:
    report = read_json(project.root / "reports/validation.json")
    cards = {metric.label: metric.value for metric in app_page("data").run().metric}
    assert cards["Quality"] == f"{report['quality_score']:.1f} of 100"
    assert cards["Rows"] == f"{report['rows']:,}"
    assert cards["Quarantined"] == f"{report['quarantined']:,}"


def test_the_split_names_its_sizes_and_its_verdict(project: Workspace) -> None:
    sizes = read_json(project.root / "reports/split.json")["sizes"]
    text = text_of(app_page("data").run())
    assert f"train: **{sizes['train']:,} rows**" in text
    assert f"test: **{sizes['test']:,} rows**" in text
    assert "Train and test follow the same distribution." in text


def test_each_column_has_a_row_with_its_range(project: Workspace) -> None:
    report = read_json(project.root / "reports/validation.json")
    tables = [element.value for element in app_page("data").run().dataframe]
    columns = next(table for table in tables if "Distinct" in table.columns)
    assert list(columns["Column"]) == list(report["distributions"])
    assert {"Min", "Mean", "Max", "Outliers", "Missing"} <= set(columns.columns)
