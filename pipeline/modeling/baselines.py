"""Fit the baselines that a model has to beat: the majority class, and a decision tree of depth 2."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.config.groups.model_config import EstimatorInputsConfig, ModelConfig
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.encoding.methods import PLAIN_FEATURES, plain_columns

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.tree._tree import Tree

    from pipeline.modeling.classifier import Classifier
    from pipeline.schema import Schema

__all__ = ["BASELINES", "baseline_metric_names", "fit_baseline"]

_BASELINE_INPUTS = EstimatorInputsConfig(missing="native", categories="codes", scale="none")

BASELINES: dict[str, ModelConfig] = {
    "majority": ModelConfig(
        name="majority",
        estimator={"_target_": "sklearn.dummy.DummyClassifier", "strategy": "prior"},
        inputs=_BASELINE_INPUTS,
    ),
    "depth_2_tree": ModelConfig(
        name="depth_2_tree",
        estimator={"_target_": "sklearn.tree.DecisionTreeClassifier", "max_depth": 2},
        inputs=_BASELINE_INPUTS,
    ),
}


def fit_baseline(name: str, frame: pd.DataFrame, schema: Schema, *, seed: int) -> Classifier:
    """Return the baseline called `name`, fitted to `frame`.

    `majority` predicts the shares of the classes for every row; `depth_2_tree` is a decision tree of depth 2,
    which finds the obvious rule. Its leaves have the Laplace correction, one row more of each class (Provost and
    Domingos 2003): a leaf of one class would claim certainty, and one row against it would decide a log loss.

    Raises
    ------
    DataError
        When rows do not match the schema, or fewer than two classes occur.
    """
    fitted = fit_classifier(frame, plain_columns(schema), PLAIN_FEATURES, model=BASELINES[name], seed=seed)
    classifier = replace(fitted, schema=schema)
    if name == "depth_2_tree":
        _correct_leaves(classifier.estimator.tree_)
    return classifier


def _correct_leaves(tree: Tree) -> None:
    n_rows = tree.weighted_n_node_samples[:, None, None]
    tree.value[:] = (tree.value * n_rows + 1.0) / (n_rows + tree.value.shape[2])


def baseline_metric_names(selection_metric: str) -> tuple[str, ...]:
    """Return the metrics that are shown for baselines: the selection metric, AUC and accuracy."""
    return tuple(dict.fromkeys((selection_metric, "roc_auc", "accuracy")))
