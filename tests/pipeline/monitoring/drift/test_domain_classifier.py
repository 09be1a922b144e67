"""The domain classifier separates the sides exactly where their joint distribution differs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.monitoring import domain_auc
from pipeline.monitoring.drift.domain_classifier import auc_interval
from tests.pipeline.monitoring.drift_fixtures import CONFIG, SCHEMA, detect, make_reference, sample_rows

OPTIONS = {"config": CONFIG.multivariate, "min_rows": 200, "confidence_level": 0.99, "seed": 0}


def correlated_rows(n: int, seed: int, sign: int) -> pd.DataFrame:
    """Return rows whose `visits` follow `size`, or go against it: each column alone is the same."""
    frame = sample_rows(n, seed, missing=0.0)
    ranks = frame["size"].rank(pct=True) if sign > 0 else 1 - frame["size"].rank(pct=True)
    frame["visits"] = pd.Series(np.floor(ranks * 11.999), dtype="Int64")
    return frame


def test_rows_of_the_same_distribution_are_stable() -> None:
    result = domain_auc(sample_rows(3_000, 0), sample_rows(2_000, 1), SCHEMA, **OPTIONS)
    assert (result.verdict, result.low <= 0.5 <= result.high) == ("stable", True)


def test_a_joint_shift_without_marginal_shift_drifts() -> None:
    before, after = correlated_rows(3_000, 0, 1), correlated_rows(2_000, 1, -1)
    result = domain_auc(before, after, SCHEMA, **OPTIONS)
    assert (result.verdict, result.value > 0.8) == ("drift", True)
    assert "a model separates live rows from reference rows: AUC" in result.summary
    assert detect(after, reference=make_reference(before)).drifted_columns == ()


def test_few_rows_give_not_enough_data() -> None:
    result = domain_auc(sample_rows(3_000, 0), sample_rows(100, 1), SCHEMA, **OPTIONS)
    assert (result.verdict, result.value, result.as_dict()["value"]) == ("not_enough_data", None, None)


def test_auc_equals_scikit_learn_and_its_interval_covers_the_truth() -> None:
    n_covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        is_positive = np.repeat([True, False], [120, 200])
        scores = rng.normal(size=320) + is_positive
        value, low, high = auc_interval(scores.round(1), is_positive, 0.95)
        assert value == pytest.approx(roc_auc_score(is_positive, scores.round(1)), abs=1e-12)
        n_covered += low <= 0.7602 <= high  # the normal distribution at 1 over the root of 2
    assert n_covered >= 52
