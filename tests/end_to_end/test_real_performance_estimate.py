"""On real rows: the performance estimate is accurate under covariate drift, and distrusted under concept drift."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.monitoring import (
    IntervalOptions,
    Performance,
    ScoreHistogram,
    calculate_realized_performance,
    estimate_performance,
    estimates_agree,
)
from tests.end_to_end.test_real_data_thresholds import REAL, real, schema, trained

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.modeling.training import TrainResult

pytestmark = [
    pytest.mark.skipif(not REAL.is_dir(), reason=f"the real files are not at {REAL}; they may not be shipped"),
]

INTERVALS = IntervalOptions(confidence_level=0.95, bootstrap_samples=200, seed=1)


@cache
def halves() -> tuple[TrainResult, pd.DataFrame]:
    """Return a model of one half of the rows, and the other half."""
    rows = real("s5e7_train.csv").sample(frac=1.0, random_state=0)
    return trained(rows[::2].reset_index(drop=True)), rows[1::2].reset_index(drop=True)


def estimated_and_realized(result: TrainResult, rows: pd.DataFrame) -> tuple[Performance, Performance]:
    target = schema().target
    names, positive = list(target.classes), target.classes.index(str(target.positive))
    probabilities = np.asarray(result.classifier.predict_proba(rows))
    predicted, truth = (
        np.array([names.index(word) for word in words])
        for words in (result.classifier.predict(rows), rows[target.column])
    )
    expected = estimate_performance(
        ScoreHistogram.from_rows(probabilities, predicted, positive=positive), intervals=INTERVALS
    )
    histogram = ScoreHistogram.from_rows(probabilities, predicted, positive=positive, outcomes=truth)
    metrics = list(expected.metrics)
    return expected, calculate_realized_performance(histogram, metrics, n_rows=len(rows), intervals=INTERVALS)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_under_covariate_drift_the_estimate_equals_the_realized_performance(share: float) -> None:
    """The share of one category changes; the outcome of each row does not."""
    result, other_half = halves()
    feature = next(feature for feature in schema().features if feature.kind == "category")
    first = (other_half[feature.name] == (feature.categories or ())[0]).fillna(False).to_numpy()
    rng = np.random.default_rng(0)
    picked = [
        rng.choice(np.flatnonzero(mask), int(3_000 * part)) for mask, part in ((first, share), (~first, 1 - share))
    ]
    expected, measured = estimated_and_realized(result, other_half.iloc[np.concatenate(picked)].reset_index(drop=True))
    assert all(estimates_agree(expected, measured, min_outcomes=200).values())
    for name in ("accuracy", "f1_weighted", "roc_auc"):
        assert expected.metrics[name].value == pytest.approx(measured.metrics[name].value, abs=0.02)


def test_under_concept_drift_the_estimate_is_too_high_and_is_not_trusted() -> None:
    """In the original rows the same features lead to other outcomes, which the probabilities do not reflect."""
    result = trained(real("s5e7_train.csv"))
    expected, measured = estimated_and_realized(result, real("personality_2900.csv"))
    trusted = estimates_agree(expected, measured, min_outcomes=200)
    estimated, realized = expected.metrics["accuracy"].value, measured.metrics["accuracy"].value
    assert estimated is not None
    assert realized is not None
    assert realized < estimated < result.mean_metrics["accuracy"]
    assert (round(estimated, 2), round(realized, 2)) == (0.96, 0.93)
    assert not any(trusted[name] for name in ("accuracy", "f1_weighted", "recall", "roc_auc", "log_loss", "brier"))
