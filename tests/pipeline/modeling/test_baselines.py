"""Baselines are the majority class and a tree of depth 2."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.modeling.baselines import BASELINES, baseline_metric_names, fit_baseline
from tests.fixtures.toy_dataset import rows, schema


def test_the_majority_baseline_predicts_the_shares_of_the_classes() -> None:
    frame = rows(300)
    probabilities = fit_baseline("majority", frame, schema(), seed=0).predict_proba(frame.head(5))
    share = (frame["answer"] == "yes").mean()
    assert probabilities == pytest.approx(np.tile([1 - share, share], (5, 1)))


def test_the_tree_has_depth_2() -> None:
    tree = fit_baseline("depth_2_tree", rows(300), schema(), seed=0).estimator
    assert tree.get_depth() == 2


def test_a_leaf_of_one_class_does_not_claim_certainty() -> None:
    frame = rows(300).assign(colour=lambda frame: np.where(frame["answer"] == "yes", "red", "blue"))
    probabilities = fit_baseline("depth_2_tree", frame, schema(), seed=0).predict_proba(frame)[:, 1]
    assert sorted(set(probabilities)) == pytest.approx([1 / 152, 151 / 152])


def test_every_baseline_can_be_fitted_to_three_classes() -> None:
    frame = rows(300, 3)
    shapes = {fit_baseline(name, frame, schema(3), seed=0).predict_proba(frame).shape for name in BASELINES}
    assert shapes == {(300, 3)}


def test_the_selection_metric_comes_first_and_only_once() -> None:
    assert baseline_metric_names("log_loss") == ("log_loss", "roc_auc", "accuracy")
    assert baseline_metric_names("accuracy") == ("accuracy", "roc_auc")
