"""Target encoding agrees with scikit-learn's, in and out of fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from pipeline.modeling.encoding.target_means import TrainTarget, fit_target_means, out_of_fold_means


def train_rows(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    words = rng.integers(0, 12, 400)
    classes = (words + rng.integers(0, 3, 400)) % n_classes
    return words, classes.astype(np.int64)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_means_are_those_of_scikit_learn(n_classes: int) -> None:
    words, classes = train_rows(n_classes)
    theirs = TargetEncoder(smooth="auto").fit(words[:, None], classes)
    ours = fit_target_means(words, TrainTarget(classes).indicators, n_words=12)
    assert np.allclose(ours[words], theirs.transform(words[:, None]), atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_out_of_fold_means_are_those_of_scikit_learn_with_the_same_folds(n_classes: int) -> None:
    words, classes = train_rows(n_classes)
    theirs = TargetEncoder(smooth="auto", cv=StratifiedKFold(5, shuffle=True, random_state=7))
    ours = out_of_fold_means(words, TrainTarget(classes, seed=7), n_words=12)
    assert np.allclose(ours, theirs.fit_transform(words[:, None], classes), atol=1e-12)


def test_a_word_without_rows_gets_the_mean_of_all_rows() -> None:
    means = fit_target_means(np.array([0, 0, 2]), np.array([[1.0], [1.0], [0.0]]), n_words=4)
    assert means[:, 0].tolist() == pytest.approx([1.0, 2 / 3, 0.0, 2 / 3])


def test_a_word_of_one_row_does_not_show_its_class() -> None:
    classes = np.array([0, 1] * 20, dtype=np.int64)
    means = out_of_fold_means(np.arange(40), TrainTarget(classes), n_words=40)
    assert np.allclose(means, 0.5, atol=0.05)


def test_the_ten_most_frequent_classes_get_a_column() -> None:
    classes = np.repeat(np.arange(14), np.arange(1, 15)).astype(np.int64)
    assert TrainTarget(classes).encoded_classes == tuple(range(4, 14))


@pytest.mark.parametrize("counts", [(40, 3), (4, 4), (30, 1, 1), (1, 1)])
def test_rare_classes_have_means_out_of_fold(counts: tuple[int, ...]) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    means = out_of_fold_means(np.zeros(len(classes), dtype=np.intp), TrainTarget(classes), n_words=1)
    assert ((means >= 0) & (means <= 1)).all()
