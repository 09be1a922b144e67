"""A what-if probability is that of the row with one other value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline import package
from pipeline.serving import what_if
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pipeline.package import Package


def what_if_frame(package: Package, row: dict[str, Any], *, label: str) -> pd.DataFrame:
    return pd.DataFrame(what_if.what_if_predictions(package, row, label=label))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A small package of the shipped problem."""
    folder = tmp_path_factory.mktemp("what_if") / "package"
    write_small_package(folder, "personality", "model=logistic_regression", n_rows=400)
    return package.load_package(folder)


def test_each_probability_is_that_of_the_row_with_this_value(loaded: Package) -> None:
    row = {column.name: column.example for column in loaded.schema.features}
    label = loaded.classes[1]
    variations = what_if_frame(loaded, row, label=label)
    name = loaded.schema.feature_names[0]
    for variation in variations[variations["feature"] == name].itertuples():
        value = None if variation.value == "missing" else int(variation.value)
        expected = loaded.predict_proba({key: [value if key == name else present] for key, present in row.items()})[
            0, 1
        ]
        assert variation.probability == pytest.approx(expected, abs=1e-6)


def test_the_present_value_is_marked_once_for_each_feature(loaded: Package) -> None:
    row = {column.name: column.example for column in loaded.schema.features}
    variations = what_if_frame(loaded, row, label=loaded.classes[0])
    marked = variations[variations["is_present"]]
    assert sorted(marked["feature"]) == sorted(loaded.schema.feature_names)
    assert len(set(marked["probability"])) == 1


def test_a_value_outside_the_training_rows_is_among_the_tried_values(loaded: Package) -> None:
    name = loaded.schema.feature_names[0]
    row = {**{column.name: column.example for column in loaded.schema.features}, name: 999}
    variations = what_if_frame(loaded, row, label=loaded.classes[0])
    assert variations[variations["is_present"] & (variations["feature"] == name)]["value"].tolist() == ["999"]


def test_a_missing_value_is_tried_for_nullable_features(loaded: Package) -> None:
    row = {column.name: None for column in loaded.schema.features}
    variations = what_if_frame(loaded, row, label=loaded.classes[0])
    assert set(variations[variations["is_present"]]["value"]) == {"missing"}
