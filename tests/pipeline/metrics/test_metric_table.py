"""Each metric against a value worked out by hand, against scikit-learn, and its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipeline.errors import UnknownOption
from pipeline.metrics import (
    METRICS,
    LabeledPredictions,
    WeightedPredictions,
    compute_metrics,
)

METRIC_NAMES = list(METRICS)
SCORE_METRIC_NAMES = [name for name in METRICS if METRICS[name].needs == "scores"]


def binary_predictions(y: list[int], p: list[float], *, positive: int = 1) -> LabeledPredictions:
    score = np.array(p, dtype=np.float64)
    columns = [1 - score, score] if positive == 1 else [score, 1 - score]
    truth = np.array(y) if positive == 1 else 1 - np.array(y)
    called = (score >= 0.5).astype(int)
    return LabeledPredictions(
        y=truth,
        probabilities=np.column_stack(columns),
        predicted=called if positive == 1 else 1 - called,
        positive=positive,
    )


@st.composite
def labeled_predictions(draw: st.DrawFn, n_classes: int | None = None, min_rows: int = 4) -> LabeledPredictions:
    n_classes = n_classes or draw(st.integers(2, 4))
    n = draw(st.integers(min_rows, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, max(0, n - n_classes))])
    levels = draw(st.integers(2, 50))
    raw = rng.integers(1, levels + 1, (len(y), n_classes)).astype(float)
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    predicted = rng.integers(0, n_classes, len(y))
    return LabeledPredictions(
        y=y, probabilities=probabilities, predicted=predicted, positive=1 if n_classes == 2 else None
    )


# Four rows, worked out on paper: scores 0.9 and 0.4 are of the class, 0.6 and 0.1 are not.
HAND_EXAMPLE = binary_predictions([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1])
HAND_VALUES = {
    "log_loss": -(math.log(0.9) + math.log(0.4) + math.log(0.4) + math.log(0.9)) / 4,
    "brier": (0.01 + 0.36 + 0.36 + 0.01) / 4,
    "roc_auc": 3 / 4,  # of four pairs only (0.4, 0.6) is the wrong way round
    "pr_auc": 0.5 * 1 + 0.5 * 2 / 3,
    "ece": (0.1 + 0.6 + 0.6 + 0.1) / 4,  # each row is alone in its bin
    "accuracy": 1 / 2,
    "balanced_accuracy": 1 / 2,
    "f1_macro": 1 / 2,
    "f1_weighted": 1 / 2,
    "precision": 1 / 2,
    "recall": 1 / 2,
    "mcc": 0.0,
}


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_a_metric_gives_the_value_computed_by_hand(name: str) -> None:
    assert compute_metrics(HAND_EXAMPLE)[name] == pytest.approx(HAND_VALUES[name], abs=1e-15)


def test_three_classes_give_the_values_computed_by_hand() -> None:
    # true 0 0 1 1 2 2, called 0 0 1 2 2 0: recalls 1, 1/2, 1/2; precisions 2/3, 1, 1/2.
    called = np.array([0, 0, 1, 2, 2, 0])
    values = compute_metrics(LabeledPredictions(np.array([0, 0, 1, 1, 2, 2]), np.eye(3)[called] * 0.7 + 0.1, called))
    assert values["balanced_accuracy"] == pytest.approx(2 / 3)
    assert values["precision"] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert values["f1_macro"] == pytest.approx((4 / 5 + 2 / 3 + 1 / 2) / 3)
    assert values["log_loss"] == pytest.approx(-(4 * math.log(0.8) + 2 * math.log(0.1)) / 6)
    assert values["brier"] == pytest.approx((4 * 0.06 + 2 * (0.64 + 0.01 + 0.81)) / 6)
    assert values["ece"] == pytest.approx(0.8 - 4 / 6)
    assert values["mcc"] == pytest.approx((4 * 6 - 12) / math.sqrt((36 - 14) * (36 - 12)))


def sklearn_metrics(rows: LabeledPredictions) -> dict[str, float]:
    is_binary = rows.positive is not None
    scores = rows.probabilities[:, 1] if is_binary else rows.probabilities
    average = {} if is_binary else {"average": "macro"}
    one_hot = np.eye(rows.n_classes)[rows.y]
    y, predicted = rows.y, rows.predicted
    return {
        "log_loss": sk.log_loss(y, rows.probabilities),
        "brier": sk.brier_score_loss(y, scores),
        "roc_auc": sk.roc_auc_score(y, scores, multi_class="ovr"),
        "pr_auc": sk.average_precision_score(one_hot[:, 1] if is_binary else one_hot, scores),
        "accuracy": sk.accuracy_score(y, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(y, predicted),
        "f1_macro": sk.f1_score(y, predicted, average="macro"),
        "f1_weighted": sk.f1_score(y, predicted, average="weighted"),
        "precision": sk.precision_score(y, predicted, zero_division=0, **average),
        "recall": sk.recall_score(y, predicted, zero_division=0, **average),
        "mcc": sk.matthews_corrcoef(y, predicted),
    }


@settings(max_examples=100, deadline=None)
@given(labeled_predictions())
def test_every_metric_agrees_with_scikit_learn(rows: LabeledPredictions) -> None:
    expected = sklearn_metrics(rows)
    values = compute_metrics(rows)
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(labeled_predictions(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: LabeledPredictions, random: object) -> None:
    order = list(range(rows.n_rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert compute_metrics(rows.take(np.array(order))) == pytest.approx(compute_metrics(rows), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(labeled_predictions(), st.integers(0, 2**32))
def test_a_weight_is_the_same_as_so_many_equal_rows(rows: LabeledPredictions, seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 4, rows.n_rows)
    weights[: rows.n_classes] = np.maximum(weights[: rows.n_classes], 1)
    weighted = WeightedPredictions(rows, weights[None, :].astype(float))
    repeated = compute_metrics(rows.take(np.repeat(np.arange(rows.n_rows), weights)))
    assert {name: float(METRICS[name].function(weighted)[0]) for name in METRIC_NAMES} == pytest.approx(
        repeated, abs=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(labeled_predictions())
def test_every_metric_stays_inside_its_bounds(rows: LabeledPredictions) -> None:
    values = compute_metrics(rows)
    low = {"mcc": -1.0}
    high = {"log_loss": math.inf, "brier": 2.0}
    assert all(low.get(name, 0.0) - 1e-12 <= value <= high.get(name, 1.0) + 1e-12 for name, value in values.items())


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_certain_correct_predictions_give_the_best_value(name: str) -> None:
    perfect = compute_metrics(binary_predictions([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0]))[name]
    assert perfect == pytest.approx(1.0 if METRICS[name].higher_is_better else 0.0, abs=1e-12)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_the_positive_class_may_be_the_first(name: str) -> None:
    y, p = [1, 0, 1, 1, 0, 0], [0.9, 0.6, 0.4, 0.7, 0.2, 0.3]
    assert compute_metrics(binary_predictions(y, p, positive=0))[name] == pytest.approx(
        compute_metrics(binary_predictions(y, p))[name], abs=1e-15
    )


def test_auc_of_one_class_is_not_defined() -> None:
    values = compute_metrics(binary_predictions([1, 1], [0.4, 0.9]))
    assert math.isnan(values["roc_auc"])
    assert values["recall"] == 0.5


def test_tied_scores_count_half() -> None:
    assert compute_metrics(binary_predictions([0, 1, 1], [0.3, 0.3, 0.3]))["roc_auc"] == 0.5


@pytest.mark.parametrize("weight", [0.001, 0.1, 0.3, 0.7, 0.9, 1.7])
@pytest.mark.parametrize("name", METRIC_NAMES)
@pytest.mark.parametrize("p", [[0.1, 0.3, 0.2, 0.4, 0.2, 0.3, 0.1], [0.9, 0.3, 0.7, 0.8, 0.2, 0.6, 0.1]])
def test_a_common_weight_of_all_rows_changes_no_metric(name: str, weight: float, p: list[float]) -> None:
    rows = binary_predictions([0, 1, 0, 1, 1, 0, 0] * 40, p * 40)
    weighted = METRICS[name].function(WeightedPredictions(rows, np.full((1, rows.n_rows), weight)))[0]
    assert weighted == pytest.approx(compute_metrics(rows, [name])[name], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_correlation_is_0_where_one_class_is_predicted_whatever_the_weights(seed: int) -> None:
    rows = binary_predictions([0, 1, 0] * 100, [0.1, 0.3, 0.2] * 100)
    weights = np.random.default_rng(seed).random((1, rows.n_rows))
    assert METRICS["mcc"].function(WeightedPredictions(rows, weights))[0] == 0.0


def test_a_class_that_no_row_has_is_left_out_of_means() -> None:
    rows = LabeledPredictions(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]), np.array([0, 1]))
    assert compute_metrics(rows)["f1_macro"] == 1.0
    assert compute_metrics(rows)["roc_auc"] == 1.0


def test_a_metric_is_called_with_plain_arrays() -> None:
    values = METRICS["recall"](HAND_EXAMPLE.y, HAND_EXAMPLE.probabilities, HAND_EXAMPLE.predicted, positive=1)
    assert values == 0.5


def test_each_metric_declares_its_direction() -> None:
    assert METRICS["log_loss"].is_better(0.1, 0.2)
    assert METRICS["roc_auc"].is_better(0.9, 0.8)
    assert {name for name in METRICS if not METRICS[name].higher_is_better} == {"log_loss", "brier", "ece"}


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'log_loss'"):
        compute_metrics(HAND_EXAMPLE, ["logloss"])
