"""The predictions before and after the start are compared only where both periods have enough rows."""

from __future__ import annotations

from pipeline.alerts.analysis.prediction_effect import compare_predictions
from pipeline.monitoring import HourlyPredictions
from tests.pipeline.alerts.analysis.report_fixtures import HOUR


def hour(number: int, *, yes: int, no: int, confidence: float) -> HourlyPredictions:
    return HourlyPredictions(number * HOUR, yes + no, {"no": no, "yes": yes}, confidence, {})


HOURS = [
    hour(0, yes=10, no=30, confidence=0.9),
    hour(1, yes=10, no=10, confidence=0.6),
    hour(2, yes=30, no=10, confidence=0.7),
]


def test_shares_and_confidence_are_weighted_by_rows() -> None:
    effect = compare_predictions(HOURS, bounds=(0, 3 * HOUR), start=2 * HOUR + 5, min_rows=40)
    assert (effect.before.n_predictions, dict(effect.before.shares)) == (60, {"no": 40 / 60, "yes": 20 / 60})
    assert effect.before.mean_confidence == (0.9 * 40 + 0.6 * 20) / 60
    assert dict(effect.after.shares) == {"no": 0.25, "yes": 0.75}


def test_a_period_with_too_few_rows_has_no_statistics() -> None:
    effect = compare_predictions(HOURS, bounds=(0, 3 * HOUR), start=2 * HOUR, min_rows=41)
    assert (effect.after.shortage, effect.after.mean_confidence, dict(effect.after.shares)) == (
        "40 of 41 predictions needed", None, {},
    )  # fmt: skip
    assert effect.before.shortage == ""
