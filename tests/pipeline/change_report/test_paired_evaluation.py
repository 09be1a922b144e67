"""A slice is worse when the paired interval of its rows says so."""

from __future__ import annotations

import numpy as np

from pipeline.change_report.paired_evaluation import worse_slices
from pipeline.metrics import LabeledPredictions
from tests.fixtures.toy_dataset import rows, schema, settings

FRAME = rows(1200)
Y = (FRAME["answer"] == "yes").to_numpy(dtype=np.int64)
CONFIG = settings().evaluation


def scores_with_noise(deviation: np.ndarray, seed: int = 0) -> LabeledPredictions:
    """Return rows whose log odds are right by 1.5 on average, with noise of these deviations."""
    rng = np.random.default_rng(seed)
    log_odds = np.where(Y == 1, 1.5, -1.5) + rng.normal(0.0, 1.0, len(Y)) * deviation
    score = 1.0 / (1.0 + np.exp(-log_odds))
    return LabeledPredictions(Y, np.column_stack([1 - score, score]), (score >= 0.5).astype(np.int64), 1)


def test_the_slice_that_one_model_cannot_score_comes_first_as_worse() -> None:
    is_red = (FRAME["colour"] == "red").to_numpy(dtype=bool, na_value=False)
    before, after = (scores_with_noise(np.where(is_red, red, 0.5)) for red in (0.5, 4.0))
    worst = worse_slices((after, before), FRAME, FRAME, schema=schema(), config=CONFIG)[0]
    assert (worst.column, worst.value, worst.verdict) == ("colour", "red", "worse")
    assert worst.n_rows == is_red.sum()


def test_equally_good_models_have_no_worse_slice_more_often_than_stated() -> None:
    n_with_worse = 0
    for seed in range(40):
        scored = (
            scores_with_noise(np.full(len(Y), 0.5), 2 * seed),
            scores_with_noise(np.full(len(Y), 0.5), 2 * seed + 1),
        )
        slices = worse_slices(scored, FRAME, FRAME, schema=schema(), config=CONFIG)
        n_with_worse += any(slice_.verdict == "worse" for slice_ in slices)
    assert n_with_worse <= 6  # 5 % of 40, and chance


def test_a_model_has_no_slice_worse_than_its_own() -> None:
    scored = scores_with_noise(np.full(len(Y), 0.5))
    assert worse_slices((scored, scored), FRAME, FRAME, schema=schema(), config=CONFIG) == ()
