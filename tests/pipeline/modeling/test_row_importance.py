"""Importance by row: of a feature that decides, of one that is not used, and of what is derived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.modeling import row_importance
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.row_importance import ImportanceSums, RowImportance, measure_row_importance
from tests.fixtures.toy_dataset import FAST, rows, schema, settings

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def measured() -> RowImportance:
    config, declared = settings(*FAST), schema(2)
    classifier = fit_classifier(rows(400, 2), declared, config.features, model=config.model, seed=0)
    test = rows(300, 2, seed=1)
    return measure_row_importance(classifier, test, encode_target(test, declared.target), seed=0)


def test_sums_give_mean_and_standard_error_of_their_values() -> None:
    values = np.random.default_rng(0).normal(2.0, 3.0, 50)
    sums = ImportanceSums.from_values(values)
    assert sums.mean == pytest.approx(values.mean())
    assert sums.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(50))


def test_the_feature_that_decides_is_most_important_by_loss_and_by_contribution(measured: RowImportance) -> None:
    for importance in (measured.loss, measured.contribution):
        assert max(importance, key=lambda name: importance[name].mean) == "size"
        assert importance["size"].mean > 5 * importance["size"].standard_error
        assert {sums.n_rows for sums in importance.values()} == {300}


def test_it_is_read_back_as_it_was_written(measured: RowImportance) -> None:
    assert RowImportance.from_dict(measured.as_dict()) == measured


@dataclass
class _FirstColumn:
    """An estimator that reads the first column of the matrix alone."""

    classes_: tuple[int, int] = (0, 1)

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        positive = np.where(matrix[:, 0] > 0, 0.9, 0.1)
        return np.column_stack([1 - positive, positive])


@pytest.fixture(scope="module")
def first_column() -> Callable[..., RowImportance]:
    config, declared = settings(*FAST), schema(2)
    frame = rows(80, 2).assign(size=pd.array([-1.0, 1.0] * 40, dtype="Float64"))
    codes = encode_target(frame, declared.target)
    fitted = fit_classifier(frame, declared, config.features, model=config.model, seed=0)
    return partial(measure_row_importance, replace(fitted, estimator=_FirstColumn()), frame, codes, seed=0)


def test_the_loss_of_a_redrawn_row_is_that_of_the_mixed_row(first_column: Callable[..., RowImportance]) -> None:
    importance = first_column(n_redraws=100)
    # Half of the redrawn values are of the other class: 0.9 becomes 0.1 in half of the redraws.
    assert importance.loss["size"].mean == pytest.approx(np.log(9) / 2, abs=0.03)
    assert importance.contribution["size"].mean == pytest.approx(0.4, abs=0.01)


def test_more_rows_than_the_limit_are_sampled(first_column: Callable[..., RowImportance]) -> None:
    assert {sums.n_rows for sums in first_column(max_rows=30).loss.values()} == {30}


def test_an_unused_feature_of_a_wide_table_has_no_importance(
    first_column: Callable[..., RowImportance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_importance, "_MAX_UNSCREENED", 0)
    importance = first_column()
    assert importance.loss["count"] == importance.contribution["count"] == ImportanceSums(80, 0.0, 0.0)
    assert importance.loss["size"].mean > 0.5
