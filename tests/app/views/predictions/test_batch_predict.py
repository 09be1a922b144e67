"""The file tab validates a file and predicts its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, tables_of
from tests.app.views.predictions.test_predict_page import (
    count_logged,
    logged_predictions,
    predict_by_file,
    unlabeled_csv,
)

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_a_file_is_predicted_row_by_row(project: Workspace) -> None:
    at = predict_by_file(project)
    tables = [element.value for element in at.dataframe]
    predictions = next(table for table in tables if "prediction_id" in table.columns)
    assert (errors_of(at), len(predictions)) == ([], 3)
    assert list(predictions["prediction"]) == [
        logged.prediction for logged in reversed(logged_predictions(project)[:3])
    ]


def test_an_invalid_file_is_refused_with_line_and_column_and_not_logged(project: Workspace) -> None:
    before = count_logged(project)
    header, first, *rest = unlabeled_csv(project).splitlines()
    broken = "\n".join([header, first, ",".join(["many", *rest[0].split(",")[1:]]), *rest[1:]]) + "\n"
    at = app_page("predict").run()
    at.file_uploader(key="batch_file").set_value([("bad.csv", broken.encode(), "text/csv")]).run()
    errors = tables_of(at)[0]
    assert "1 error; no prediction was made" in at.error[0].value
    assert errors[["Line", "Column"]].to_dict("records") == [{"Line": "3", "Column": header.split(",")[0]}]
    assert count_logged(project) == before
