"""Scores of folds come from rows outside of the fold, and are read again from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.selection.fold_scores import FoldScore, FoldScores
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FOLDS = "training.folds=3"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    from tests.fixtures.small_packages import parts

    return parts("personality", 600).train


def fold_scores(rows: pd.DataFrame, ledger: Path, *overrides: str) -> FoldScores:
    return FoldScores([settings(FOLDS, *overrides)], rows, [ledger])


@pytest.mark.parametrize("complexity", [12.5, None])
def test_a_score_is_read_as_it_was_written(tmp_path: Path, complexity: float | None) -> None:
    path = tmp_path / "fold_0.npz"
    path.write_bytes(FoldScore(np.array([[0.25, 0.75]]), complexity).to_bytes())
    score = FoldScore.read(path)
    assert score.complexity == complexity
    assert score.probabilities.tolist() == [[0.25, 0.75]]


def test_scores_are_read_from_the_ledger_instead_of_a_fit(rows: pd.DataFrame, tmp_path: Path) -> None:
    first = fold_scores(rows, tmp_path, "model=logistic_regression")
    first.fit(0, 0)
    other = fold_scores(rows, tmp_path, "model=knn")  # the same folder: a fit would give another complexity
    other.fit(0, 0)
    assert first.complexity(0) == other.complexity(0) == 1.0
    assert np.array_equal(first.losses(0, 1), other.losses(0, 1))
    assert len(first.losses(0, 1)) == (first.fold_of == 0).sum()


def test_a_number_of_trees_that_is_left_open_is_the_first(rows: pd.DataFrame, tmp_path: Path) -> None:
    scores = fold_scores(rows, tmp_path, "model.estimator.max_iter=auto", "model.estimator.max_leaf_nodes=2")
    scores.fit(0, 0)
    assert scores.complexity(0) == 200  # 100 trees of two leaves


def test_a_metric_that_is_no_mean_over_rows_is_refused(rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.selection_metric: roc_auc is no mean over rows"):
        fold_scores(rows, tmp_path, "training.selection_metric=roc_auc")


def test_with_a_calibration_one_fold_has_no_losses(rows: pd.DataFrame, tmp_path: Path) -> None:
    scores = fold_scores(rows, tmp_path, "model=logistic_regression", "training.calibration=sigmoid")
    scores.fit(0, 0)
    assert scores.losses(0, 1) is None
