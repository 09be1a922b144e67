"""The log and the reference of a version have one flat, typed form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import files
from pipeline.errors import DataError, UsageError
from pipeline.package import Package, load_package
from pipeline.project import paths
from pipeline.serving.files.flat_form import FlatForm
from pipeline.state import PredictionRow
from tests.fixtures.small_packages import parts, write_small_package

if TYPE_CHECKING:
    from pathlib import Path

N_ROWS = 400


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the test rows of a package in `package`."""
    root = tmp_path_factory.mktemp("flat")
    (root / "data").mkdir()
    files.write_parquet(root / paths.TEST_ROWS, parts("personality", N_ROWS).test)
    lineage = {"data_sha256": {"test": files.sha256_file(root / paths.TEST_ROWS)}}
    write_small_package(root / "package", "personality", "model=logistic_regression", n_rows=N_ROWS, lineage=lineage)
    return root


@pytest.fixture(scope="module")
def package(project: Path) -> Package:
    return load_package(project / "package")


def _row(features: dict[str, Any], probabilities: dict[str, float], **changes: Any) -> PredictionRow:
    row = PredictionRow(
        "p1", 1, "m", 1, "d" * 64, 1, json.dumps(features), "Introvert", json.dumps(probabilities), 0.75, "production",
        "champion", "api", 1, 2.0, None, None,
    )  # fmt: skip
    return row._replace(**changes)


def _with_column(package: Package, feature: str, **changes: Any) -> Package:
    columns = tuple(
        replace(column, **changes) if column.name == feature else column for column in package.schema.columns
    )
    return replace(package, schema=replace(package.schema, columns=columns))


PROBABILITIES = {"Extrovert": 0.25, "Introvert": 0.75}


def test_a_logged_prediction_is_one_row_with_typed_values(package: Package) -> None:
    form = FlatForm(package, 1)
    row = _row({"Time_spent_Alone": 4, "Stage_fear": "No"}, PROBABILITIES)
    (flat,) = form.log_table([row], {"p1": "Extrovert"}).to_pylist()
    expected = {"prediction_id": "p1", "weight": 2.0, "Time_spent_Alone": 4, "Stage_fear": "No"}
    expected |= {"Post_frequency": None, "prediction": "Introvert", "probability_Extrovert": 0.25}
    expected |= {"outcome": "Extrovert", "predicted_positive": 1, "outcome_positive": 0}
    assert {name: flat[name] for name in expected} == expected
    assert flat["predicted_at"].utcoffset().total_seconds() == 0


def test_the_reference_has_the_test_rows_with_predictions_of_the_package(package: Package, project: Path) -> None:
    form, test = FlatForm(package, 3), parts("personality", N_ROWS).test
    reference = pa.concat_tables(form.reference_tables(project))
    assert reference.schema == form.schema
    assert reference.column("outcome").to_pylist() == test["Personality"].tolist()
    assert np.array_equal(reference.column("probability_Introvert"), package.predict_proba(test)[:, 1])
    assert reference.column("prediction").to_pylist() == list(package.predict(test))
    assert set(reference.column("version").to_pylist()) == {3}


def test_private_features_are_bins_or_have_no_column(package: Package, project: Path) -> None:
    private = _with_column(_with_column(package, "Stage_fear", store="hash"), "Time_spent_Alone", store="bin")
    form = FlatForm(private, 1)
    (flat,) = form.log_table([_row({"Time_spent_Alone": {"bin": 3}}, PROBABILITIES)], {}).to_pylist()
    reference = pa.concat_tables(form.reference_tables(project))
    bins = package.reference.column("Time_spent_Alone")
    expected = bins.codes(pq.read_table(project / paths.TEST_ROWS).column("Time_spent_Alone").combine_chunks())
    assert (flat["Time_spent_Alone"], "Stage_fear" in flat, flat["outcome_positive"]) == (3, False, None)
    assert reference.column("Time_spent_Alone").to_pylist() == expected.tolist()


@pytest.mark.parametrize("name", ["prediction", "outcome", "version", "probability_Introvert", "outcome_positive"])
def test_a_feature_with_the_name_of_another_column_is_refused(package: Package, name: str) -> None:
    with pytest.raises(UsageError, match=f"--flat: the features {name} have names of other columns of this form"):
        FlatForm(_with_column(package, "Stage_fear", name=name), 1)


@pytest.mark.parametrize(
    ("features", "probabilities", "message"),
    [
        ({"Time_spent_Alone": "four"}, PROBABILITIES, "Time_spent_Alone: .*four"),
        ({}, {"no": 0.5, "yes": 0.5}, "version 1 has the classes no, yes, and version 2 has Extrovert, Introvert"),
    ],
)
def test_a_row_of_another_declaration_is_refused(
    package: Package, features: dict[str, Any], probabilities: dict[str, float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        FlatForm(package, 2).log_table([_row(features, probabilities)], {})


def test_other_test_rows_are_refused_with_the_command_that_brings_them_back(package: Package, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    files.write_parquet(tmp_path / paths.TEST_ROWS, parts("personality", N_ROWS).train)
    with pytest.raises(DataError, match=r"are not the test rows of version 3; .* `mlops models show 3 --lineage`"):
        next(FlatForm(package, 3).reference_tables(tmp_path))
