"""The curves against scikit-learn and against values worked out on paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from pipeline.evaluation.curves import (
    calibration_table,
    confusion_table,
    curve_tables,
    lift_table,
    precision_recall_table,
    roc_table,
)
from pipeline.metrics import LabeledPredictions, compute_metrics


@st.composite
def scored(draw: st.DrawFn) -> LabeledPredictions:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(2, 80))
    y = np.concatenate([[0, 1], rng.integers(0, 2, n - 2)])
    p = rng.integers(0, draw(st.integers(2, 100)), n) / 100
    return LabeledPredictions(
        y=y, probabilities=np.column_stack([1 - p, p]), predicted=(p >= 0.5).astype(int), positive=1
    )


def hand() -> LabeledPredictions:
    p = np.array([0.9, 0.6, 0.4, 0.1])
    return LabeledPredictions(
        y=np.array([1, 0, 1, 0]),
        probabilities=np.column_stack([1 - p, p]),
        predicted=(p >= 0.5).astype(int),
        positive=1,
    )


def test_roc_of_four_rows() -> None:
    table = roc_table(hand())
    assert table["false_positive_rate"].tolist() == [0, 0, 0.5, 0.5, 1]
    assert table["true_positive_rate"].tolist() == [0, 0.5, 0.5, 1, 1]
    assert table["threshold"].tolist() == [1.0, 0.9, 0.6, 0.4, 0.1]


def test_precision_and_recall_of_four_rows() -> None:
    table = precision_recall_table(hand())
    assert table["recall"].tolist() == [0.5, 0.5, 1, 1]
    assert table["precision"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


def test_lift_of_four_rows() -> None:
    table = lift_table(hand()).set_index("share_of_rows")
    assert table.loc[0.5, "share_found"] == 0.5
    assert table.loc[0.5, "lift"] == 1.0
    assert table.loc[1.0, "share_found"] == 1.0
    assert table.loc[0.1, "lift"] == pytest.approx(2.0)


@settings(max_examples=60, deadline=None)
@given(scored())
def test_roc_agrees_with_scikit_learn(rows: LabeledPredictions) -> None:
    table = roc_table(rows)
    false, true, _ = roc_curve(rows.y, rows.probabilities[:, 1], drop_intermediate=False)
    assert table["false_positive_rate"].to_numpy() == pytest.approx(false)
    assert table["true_positive_rate"].to_numpy() == pytest.approx(true)


@settings(max_examples=60, deadline=None)
@given(scored())
def test_precision_and_recall_agree_with_scikit_learn(rows: LabeledPredictions) -> None:
    table = precision_recall_table(rows)
    precision, recall, threshold = precision_recall_curve(rows.y, rows.probabilities[:, 1])
    assert table["precision"].to_numpy() == pytest.approx(precision[:-1][::-1])
    assert table["recall"].to_numpy() == pytest.approx(recall[:-1][::-1])
    assert table["threshold"].to_numpy() == pytest.approx(threshold[::-1])


@settings(max_examples=60, deadline=None)
@given(scored())
def test_calibration_agrees_with_scikit_learn(rows: LabeledPredictions) -> None:
    table = calibration_table(rows)
    observed, predicted = calibration_curve(rows.y, rows.probabilities[:, 1], n_bins=10)
    # scikit-learn puts a probability on an edge into the bin below; only sets without one can be compared.
    if (rows.probabilities[:, 1] * 10 % 1 > 1e-9).all():
        assert table["observed"].to_numpy() == pytest.approx(observed)
        assert table["predicted"].to_numpy() == pytest.approx(predicted)
    assert table["rows"].sum() == rows.n_rows
    assert (table["low"] <= table["observed"] + 1e-12).all()
    assert (table["observed"] <= table["high"] + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(scored())
def test_the_order_of_rows_shows_in_no_curve(rows: LabeledPredictions) -> None:
    tables, turned = curve_tables(rows, ("a", "b")), curve_tables(rows.take(np.arange(rows.n_rows)[::-1]), ("a", "b"))
    assert all(tables[name].equals(turned[name]) for name in tables)


def test_wilsons_interval_is_the_published_one() -> None:
    # Wilson's interval for 8 of 10 at 95 %: 0.490 to 0.943 (Brown, Cai and DasGupta 2001).
    p = np.full(10, 0.75)
    rows = LabeledPredictions(
        y=np.array([1] * 8 + [0] * 2),
        probabilities=np.column_stack([1 - p, p]),
        predicted=np.ones(10, dtype=int),
        positive=1,
    )
    table = calibration_table(rows).iloc[0]
    assert (table["low"], table["high"]) == pytest.approx((0.490, 0.943), abs=0.0005)


def test_a_long_curve_keeps_its_shape_in_200_points() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    y = (rng.random(5000) < p).astype(int)
    rows = LabeledPredictions(
        y=y, probabilities=np.column_stack([1 - p, p]), predicted=(p >= 0.5).astype(int), positive=1
    )
    table = roc_table(rows)
    assert len(table) == 200
    area = auc(table["false_positive_rate"], table["true_positive_rate"])
    assert area == pytest.approx(compute_metrics(rows, ["roc_auc"])["roc_auc"], abs=0.002)


def test_a_curve_of_one_class_is_empty() -> None:
    rows = hand().take(np.array([0, 2]))
    assert roc_table(rows).empty
    assert not precision_recall_table(rows).empty
    assert lift_table(hand().take(np.array([1, 3]))).empty


def test_confusion_has_one_sorted_line_for_each_row() -> None:
    table = confusion_table(hand(), ("no", "yes"))
    assert table.to_numpy().tolist() == [["no", "no"], ["no", "yes"], ["yes", "no"], ["yes", "yes"]]


def test_three_classes_are_pooled_into_one_curve() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    table = roc_table(LabeledPredictions(np.array([0, 1, 2]), probabilities, np.array([0, 1, 2])))
    assert auc(table["false_positive_rate"], table["true_positive_rate"]) == 1.0
