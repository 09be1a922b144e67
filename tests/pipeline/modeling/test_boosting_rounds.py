"""The number of trees follows the out-of-fold log loss, and stays where another number is no better beyond chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.modeling.boosting_rounds import RoundsCurve, chooses_rounds, first_stages, with_rounds
from pipeline.modeling.estimators import build_estimator
from pipeline.modeling.training import train_classifier
from tests.fixtures.toy_dataset import rows, schema, settings

if TYPE_CHECKING:
    from pipeline.config.groups.model_config import ModelConfig

STAGES = (50, 80, 100)


def curve(*losses: float, noise: float = 0.0, n_rows: int = 400) -> RoundsCurve:
    """Return a curve with these mean losses; those of the first stage differ by `noise` from row to row."""
    by_row = np.repeat(np.array(losses)[:, None], n_rows, axis=1)
    by_row[0] += noise * np.where(np.arange(n_rows) % 2, 1.0, -1.0)
    of_true = np.exp(-by_row)
    return RoundsCurve(STAGES, np.stack([of_true, 1.0 - of_true], axis=2), by_row)


@pytest.mark.parametrize(
    ("losses", "noise", "expected"),
    [
        ((0.40, 0.45, 0.50), 0.0, 50),  # the later trees overfit
        ((0.50, 0.40, 0.45), 0.0, 80),
        ((0.50, 0.45, 0.40), 0.0, 100),
        ((0.3990, 0.4, 0.4), 0.0, 100),  # a gain of 0.25 %
        ((0.39, 0.40, 0.40), 0.2, 100),  # a gain within chance
        ((0.39, 0.40, 0.40), 0.05, 50),
    ],
)
def test_another_number_of_trees_must_be_better_beyond_chance(
    losses: tuple[float, ...], noise: float, expected: int
) -> None:
    assert curve(*losses, noise=noise).best_rounds() == expected


@pytest.mark.parametrize(("last", "expected"), [(0.40, True), (0.446, False), (0.50, False)])
def test_a_second_fit_is_made_where_the_last_step_still_gains(last: float, expected: bool) -> None:
    assert curve(0.50, 0.45, last).still_improves() is expected


def test_rows_of_a_fold_do_not_choose_their_own_number_of_trees() -> None:
    early, late = curve(0.40, 0.45, 0.50).probabilities, curve(0.50, 0.45, 0.40).probabilities
    fold_of = (np.arange(400) >= 200).astype(np.intp)
    mixed = np.where((fold_of == 0)[None, :, None], early, late)
    chosen = RoundsCurve.from_probabilities(STAGES, mixed, np.zeros(400, dtype=np.int64)).cross_chosen(fold_of)
    np.testing.assert_allclose(-np.log(chosen[:, 0]), 0.50)


def boosted(**arguments: object) -> ModelConfig:
    return settings("model=hist_gradient_boosting").model.model_copy(
        update={
            "estimator": {
                "_target_": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": "auto", **arguments
            }
        }
    )  # fmt: skip


def test_a_model_that_overfits_gets_fewer_trees_with_the_scores_of_a_model_that_declares_them() -> None:
    config, model = settings("training.folds=2"), boosted(learning_rate=0.2, min_samples_leaf=5)
    options = {"training": config.training, "seed": 1}
    chosen = train_classifier(rows(300), schema(), config.features, model=model, **options)
    assert chosen.n_trees == first_stages()[0]
    declared = train_classifier(rows(300), schema(), config.features, model=with_rounds(model, 20), **options)
    np.testing.assert_array_equal(chosen.out_of_fold, declared.out_of_fold)
    assert (declared.n_trees, chosen.classifier.estimator.n_iter_) == (None, 20)


def test_auto_is_refused_where_a_model_has_no_stages() -> None:
    model = boosted().model_copy(
        update={"estimator": {"_target_": "sklearn.linear_model.LogisticRegression", "max_iter": "auto"}}
    )
    assert chooses_rounds(model)
    with pytest.raises(ConfigError, match="auto is for estimators with stages"):
        build_estimator(model, seed=0)
