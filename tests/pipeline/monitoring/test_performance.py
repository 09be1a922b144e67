"""Figures are those of the rows; before outcomes arrive they are what calibrated probabilities promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from pipeline.errors import DataError, UnknownKind
from pipeline.metrics import Estimate
from pipeline.monitoring import (
    Cells,
    Performance,
    expected_performance,
    find_degradation,
    is_trusted,
    measured_performance,
)
from pipeline.schema import Target
from tests.pipeline.monitoring.windows import reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET = Target("y", ("no", "yes"), "yes")
HOW = {"confidence": 0.95, "draws": 200, "seed": 0}
NAMES = ("accuracy", "f1_weighted", "roc_auc", "log_loss", "brier")


def drawn(n: int, seed: int, *, a: float = 1.0, b: float = 2.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return calibrated probabilities of "yes" and outcomes that keep them."""
    rng = np.random.default_rng(seed)
    score = rng.beta(a, b, n)
    return score, (rng.random(n) < score).astype(np.int64)


def cells(score: NDArray[np.float64], y: NDArray[np.int64] | None = None) -> Cells:
    both = np.column_stack([1 - score, score])
    return Cells.from_rows(both, (score >= 0.5).astype(np.int64), positive=1, outcomes=y)


def test_measured_figures_are_those_of_scikit_learn_on_the_rows() -> None:
    score, y = drawn(20_000, 0)
    found = measured_performance(cells(score, y), NAMES, n_rows=25_000, **HOW)
    said = score >= 0.5
    expected = {
        "accuracy": accuracy_score(y, said),
        "f1_weighted": f1_score(y, said, average="weighted"),
        "roc_auc": roc_auc_score(y, score),
        "log_loss": log_loss(y, score),
    }
    assert found.figures["accuracy"].value == pytest.approx(expected["accuracy"], abs=1e-12)
    assert {name: found.figures[name].value for name in expected} == pytest.approx(expected, abs=2e-4)
    assert (found.n_outcomes, found.coverage, found.is_expected) == (20_000, 0.8, False)


def test_intervals_of_measured_figures_hold_the_truth_as_often_as_they_say() -> None:
    big, y = drawn(2_000_000, 1)
    truth = accuracy_score(y, big >= 0.5)
    held = 0
    for seed in range(60):
        figure = measured_performance(cells(*drawn(1_000, 100 + seed)), ["accuracy"], n_rows=1_000, **HOW).figures[
            "accuracy"
        ]
        held += figure.low <= truth <= figure.high
    assert held >= 52  # 57 expected of 60


@pytest.mark.parametrize("shape", [(1.0, 2.0), (0.3, 0.3), (5.0, 1.0)])
def test_expected_figures_come_true_when_probabilities_hold(shape: tuple[float, float]) -> None:
    score, y = drawn(400_000, 2, a=shape[0], b=shape[1])
    expected = expected_performance(cells(score), NAMES, **HOW)
    measured = measured_performance(cells(score, y), NAMES, n_rows=len(y), **HOW)
    for name in NAMES:
        assert expected.figures[name].value == pytest.approx(measured.figures[name].value, abs=0.003)
    assert expected.is_expected


def test_bands_of_expected_figures_hold_what_comes_true_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        score, y = drawn(500, seed)
        figure = expected_performance(cells(score), ["roc_auc"], **HOW).figures["roc_auc"]
        held += figure.low <= roc_auc_score(y, score) <= figure.high
    assert held >= 52


def test_the_histogram_of_scores_gives_what_the_rows_give() -> None:
    made = reference()
    score, _ = drawn(100_000, 3)
    counts = made.score.finest.count(score)
    from_counts = expected_performance(Cells.from_histogram(made.score, counts, TARGET, threshold=0.5), NAMES, **HOW)
    from_rows = expected_performance(cells(score), NAMES, **HOW)
    assert from_counts.n_rows == 100_000
    for name in NAMES:
        assert from_counts.figures[name].value == pytest.approx(from_rows.figures[name].value, abs=0.001)


def test_a_histogram_of_three_classes_is_refused() -> None:
    made = reference()
    with pytest.raises(DataError, match="needs two classes; pass rows"):
        Cells.from_histogram(made.score, made.score.finest.count([0.5]), Target("y", ("a", "b", "c")), threshold=None)


def test_three_classes_are_expected_from_rows() -> None:
    rng = np.random.default_rng(4)
    probabilities = rng.dirichlet([1, 1, 1], 20_000)
    y = (probabilities.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    said = probabilities.argmax(axis=1)
    found = expected_performance(
        Cells.from_rows(probabilities, said, positive=None),
        ["accuracy", "log_loss"],
        confidence=0.95,
        draws=100,
        seed=0,
    )
    assert found.figures["accuracy"].value == pytest.approx(accuracy_score(y, said), abs=0.01)
    assert found.figures["log_loss"].value == pytest.approx(log_loss(y, probabilities), abs=0.01)


def test_an_estimate_loses_trust_when_outcomes_leave_its_band() -> None:
    score, y = drawn(5_000, 5)
    expected = expected_performance(cells(score), NAMES, **HOW)
    kept = measured_performance(cells(score, y), NAMES, n_rows=5_000, **HOW)
    turned = measured_performance(cells(score, 1 - y), NAMES, n_rows=5_000, **HOW)
    assert is_trusted(expected, kept) == dict.fromkeys(NAMES, True)
    assert is_trusted(expected, turned) == dict.fromkeys(NAMES, False)


def test_a_window_without_outcomes_has_no_measured_figures() -> None:
    found = measured_performance(cells(drawn(100, 0)[0]), ["accuracy"], n_rows=100, **HOW)
    assert (found.figures["accuracy"], found.coverage) == (Estimate(None, None, None), 0.0)
    assert is_trusted(found, found) == {}


def test_an_empty_window_has_no_expected_figures() -> None:
    found = expected_performance(cells(np.empty(0)), ["accuracy"], **HOW)
    assert (found.figures["accuracy"].value, found.n_rows, found.coverage) == (None, 0, 0.0)


def figures(value: float, low: float | None, high: float | None, name: str = "accuracy") -> Performance:
    return Performance({name: Estimate(value, low, high)}, 100, 100, is_expected=False)


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.80, 0.78, 0.82, "degraded"),
        (0.80, 0.70, 0.90, "ok"),  # it may be chance
        (0.86, 0.85, 0.87, "watch"),
        (0.88, 0.87, 0.91, "ok"),
        (0.95, 0.94, 0.96, "ok"),
        (0.80, None, None, "not_enough_data"),
    ],
)
def test_a_figure_degrades_when_it_worsens_beyond_limit_and_chance(
    value: float, low: float | None, high: float | None, expected: str
) -> None:
    (found,) = find_degradation(figures(value, low, high), {"accuracy": 0.90}, limit=0.06)
    assert found.verdict == expected


def test_a_handful_of_outcomes_neither_degrades_a_figure_nor_costs_its_trust() -> None:
    """The bootstrap of three rows that are all wrong knows of no luck: its interval is a point."""
    score = np.full(3, 0.9)
    measured = measured_performance(cells(score, np.zeros(3, dtype=np.int64)), ["accuracy"], n_rows=900, **HOW)
    expected = expected_performance(cells(score), ["accuracy"], **HOW)
    (found,) = find_degradation(measured, {"accuracy": 0.9}, limit=0.05, min_outcomes=200)
    assert (measured.figures["accuracy"].high, found.verdict) == (0.0, "not_enough_data")
    assert is_trusted(expected, measured, min_outcomes=200) == {}


def test_a_larger_loss_is_worse() -> None:
    (found,) = find_degradation(figures(0.5, 0.45, 0.55, "log_loss"), {"log_loss": 0.3}, limit=0.1, kind="absolute")
    assert (found.verdict, found.worsening, found.at_least) == ("degraded", pytest.approx(0.2), pytest.approx(0.15))


def test_a_baseline_goes_by_the_names_that_scikit_learn_gives() -> None:
    (found,) = find_degradation(figures(0.5, 0.4, 0.6, "f1_weighted"), {"f1_score": 0.9}, limit=0.05)
    assert (found.metric, found.verdict) == ("f1_score", "degraded")


def test_a_baseline_of_no_metric_is_refused() -> None:
    with pytest.raises(UnknownKind, match=r"^baseline_metrics: .*acuracy"):
        find_degradation(figures(0.5, 0.4, 0.6), {"acuracy": 0.9}, limit=0.05)
