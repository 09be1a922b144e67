"""A verdict follows from the sums by hour, the floors and the declared test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.trials.trial_comparison import Comparison
from pipeline.trials.trial_verdict import TrialVerdict, trial_verdict
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.config.groups.lifecycle_config import TrialConfig

DAY_US = 86_400_000_000


def _settings(**changes: Any) -> TrialConfig:
    return settings().lifecycle.trial.model_copy(update=changes)


def _compare(gain: float, *, n_hours: int = 100, rows: int = 100, deviation: float = 0.1, seed: int = 0) -> Comparison:
    """Return hours whose rows have exactly this mean difference."""
    noise = np.random.default_rng(seed).normal(0.0, deviation, (n_hours, rows))
    differences = noise - noise.mean() + gain
    return Comparison(
        metric="log_loss",
        weights=np.full(n_hours, float(rows)),
        sums=differences.sum(axis=1),
        squares=(differences**2).sum(axis=1),
        n_outcomes=n_hours * rows,
        n_disagreements=n_hours,
        until_outcome=n_hours * rows,
        compared_at=10 * DAY_US,
    )


def _verdict(comparison: Comparison, *, opened_at: int = 9 * DAY_US, n: int = 1, **changes: Any) -> TrialVerdict:
    return trial_verdict(comparison, _settings(**changes), opened_at=opened_at, n_challengers=n)


@pytest.mark.parametrize(("gain", "verdict"), [(0.01, "won"), (-0.01, "lost"), (0.0001, "open")])
@pytest.mark.parametrize("unit", ["hour", "row"])
def test_the_sign_of_a_clear_gain_decides(gain: float, verdict: str, unit: str) -> None:
    result = _verdict(_compare(gain), unit=unit)
    assert result.verdict == verdict
    assert result.gain == pytest.approx(gain)


@pytest.mark.parametrize(("n_hours", "rows"), [(47, 100), (60, 8)])
def test_too_few_hours_or_outcomes_decide_nothing(n_hours: int, rows: int) -> None:
    assert _verdict(_compare(0.5, n_hours=n_hours, rows=rows)).verdict == "open"
    assert _verdict(_compare(0.5, n_hours=n_hours, rows=rows), min_units=47, min_outcomes=480).verdict == "won"


def test_a_slightly_worse_challenger_is_not_inferior_within_the_margin() -> None:
    comparison = _compare(-0.001, deviation=0.01)
    assert _verdict(comparison).verdict == "lost"
    result = _verdict(comparison, test="non_inferiority", margin=0.002)
    assert result.verdict == "won"
    assert result.gain == pytest.approx(-0.001)
    assert _verdict(comparison, test="non_inferiority", margin=0.0005).verdict == "lost"


def test_a_trial_that_ends_open_is_undecided() -> None:
    assert _verdict(_compare(0.0001), opened_at=-18 * DAY_US).verdict == "undecided"
    assert _verdict(_compare(0.01), opened_at=-18 * DAY_US).verdict == "won"


def test_challengers_share_alpha() -> None:
    comparison = _compare(0.01)
    alone, one_of_three = _verdict(comparison), _verdict(comparison, n=3)
    assert one_of_three.lower is not None
    assert alone.lower is not None
    assert one_of_three.lower < alone.lower
    a_third = _verdict(comparison, alpha=0.05 / 3)
    assert (one_of_three.lower, one_of_three.upper) == (a_third.lower, a_third.upper)


def test_outcomes_still_needed_decide_a_trial_that_goes_on_as_before() -> None:
    result = _verdict(_compare(0.002))
    assert (result.verdict, result.n_more_outcomes is not None) == ("open", True)
    assert result.n_more_outcomes is not None
    n_hours = 100 + result.n_more_outcomes // 100
    assert _verdict(_compare(0.002, n_hours=round(n_hours * 1.1))).verdict == "won"
    assert f"about {result.n_more_outcomes:,} more outcomes decide it" in result.summary


def test_equal_models_need_no_number_of_outcomes() -> None:
    result = _verdict(_compare(0.0, deviation=0.0))
    assert (result.verdict, result.n_more_outcomes) == ("open", None)


def test_a_person_decides_where_the_models_disagree_often() -> None:
    assert not _verdict(_compare(0.01)).needs_person
    assert _verdict(_compare(0.01), max_disagreement=0.005).needs_person


def test_nothing_is_known_without_outcomes() -> None:
    empty = np.zeros(0)
    comparison = Comparison("brier", empty, empty, empty, 0, 0, 0, 10 * DAY_US)
    result = _verdict(comparison)
    assert (result.verdict, result.gain, result.lower, result.n_more_outcomes) == ("open", None, None, None)
    assert "too few to compare the brier score" in result.summary
