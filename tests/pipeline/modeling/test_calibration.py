"""Maps from score to probability, held to scikit-learn and to their promises."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from pipeline.errors import DataError, IntegrityError, UnknownOption
from pipeline.modeling.calibration import Calibration, fit_calibration

KINDS = ("sigmoid", "isotonic")


def problem(n: int = 400, n_classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return overconfident probabilities and their true classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    logits = rng.normal(0, 2, (n, n_classes))
    logits[np.arange(n), y] += 2.0
    raw = np.exp(logits)
    return raw / raw.sum(axis=1, keepdims=True), y


def test_the_sigmoid_is_the_logistic_regression_of_the_log_odds_on_smoothed_targets() -> None:
    probabilities, y = problem()
    calibrated = fit_calibration("sigmoid", probabilities, y).maps[0]
    logit = np.log(probabilities[:, 1] / probabilities[:, 0])
    n = (y == 1).sum()
    high, low = (n + 1) / (n + 2), 1 / (len(y) - n + 2)
    target = np.where(y == 1, high, low)
    twice = np.concatenate([logit, logit])[:, None]
    weights = np.concatenate([target, 1 - target])
    labels = np.repeat([1, 0], len(y))
    expected = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(twice, labels, sample_weight=weights)
    assert calibrated.slope == pytest.approx(expected.coef_[0, 0], rel=1e-4)
    assert calibrated.intercept == pytest.approx(expected.intercept_[0], abs=1e-4)


def test_the_steps_are_near_those_of_isotonic_regression() -> None:
    probabilities, y = problem(n=4000)
    calibrated = fit_calibration("isotonic", probabilities, y).apply(probabilities)[:, 1]
    expected = IsotonicRegression(out_of_bounds="clip").fit(probabilities[:, 1], y == 1).predict(probabilities[:, 1])
    assert np.abs(calibrated - expected).mean() < 0.01


def test_the_steps_are_those_of_paper_where_they_are_gentle() -> None:
    scores, y = np.repeat([0.1, 0.5, 0.9], 4), np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0])
    calibrated = fit_calibration("isotonic", np.column_stack([1 - scores, scores]), y).maps[0]
    assert (calibrated.x, calibrated.y) == ((0.1, 0.5, 0.9), (0.25, 0.5, 0.75))


def test_no_step_is_steeper_than_float32_bears() -> None:
    probabilities, y = problem(n=4000)
    calibrated = fit_calibration("isotonic", probabilities, y).maps[0]
    assert (np.diff(calibrated.y) <= 10.0 * np.diff(calibrated.x) + 1e-8).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_rows_sum_to_one_and_stay_probabilities(kind: str, n_classes: int) -> None:
    probabilities, y = problem(n_classes=n_classes)
    calibrated = fit_calibration(kind, probabilities, y).apply(probabilities)
    assert np.allclose(calibrated.sum(axis=1), 1.0)
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_overconfident_probabilities_become_better_on_other_rows(kind: str) -> None:
    probabilities, y = problem(n=4000)
    extreme = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    calibrated = fit_calibration(kind, extreme[:2000], y[:2000]).apply(extreme[2000:])
    before, after = (-np.log(one[np.arange(2000), y[2000:]]).mean() for one in (extreme[2000:], calibrated))
    assert after < before


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
def test_a_higher_score_never_gets_a_lower_probability(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 40)
    y[:2] = [0, 1]
    second = rng.random(40).round(2)
    fitted = fit_calibration(kind, np.column_stack([1 - second, second]), y)
    grid = np.linspace(0, 1, 200)
    assert (np.diff(fitted.apply(np.column_stack([1 - grid, grid]))[:, 1]) >= -1e-12).all()


@pytest.mark.parametrize("kind", ["none", *KINDS])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_stored_values_give_an_equal_map(kind: str, n_classes: int) -> None:
    probabilities, y = problem(n_classes=n_classes)
    fitted = fit_calibration(kind, probabilities, y)
    again = Calibration.from_dict(json.loads(json.dumps(fitted.as_dict())))
    assert again == fitted
    assert np.array_equal(again.apply(probabilities), fitted.apply(probabilities))


def test_a_reversed_score_is_not_calibrated_to_a_falling_map() -> None:
    probabilities, y = problem()
    fitted = fit_calibration("sigmoid", probabilities[:, ::-1], y)
    assert fitted.apply(probabilities)[:, 1] == pytest.approx(np.full(len(y), 0.5), abs=1e-6)


def test_an_unknown_kind_is_named() -> None:
    probabilities, y = problem()
    with pytest.raises(UnknownOption, match=r"training\.calibration: 'isotonik'.*did you mean 'isotonic'"):
        fit_calibration("isotonik", probabilities, y)


def test_a_missing_probability_is_refused() -> None:
    probabilities, y = problem()
    probabilities[3] = np.nan
    with pytest.raises(DataError, match="a probability is missing"):
        fit_calibration("sigmoid", probabilities, y)


def test_a_class_without_rows_is_refused() -> None:
    probabilities, _ = problem()
    with pytest.raises(DataError, match="class number 1 has no rows"):
        fit_calibration("sigmoid", probabilities, np.zeros(len(probabilities), dtype=int))


@pytest.mark.parametrize("value", [{}, {"kind": "sigmoid"}, {"kind": "other"}, {"kind": "isotonic", "maps": [1]}, 3])
def test_invalid_values_are_refused(value: object) -> None:
    with pytest.raises(IntegrityError, match="calibration"):
        Calibration.from_dict(value)
