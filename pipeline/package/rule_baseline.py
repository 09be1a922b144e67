"""The rule baseline of a package: a decision tree of depth 2 for the case that no model file can be read.

It needs only numpy. Its file holds its own encoder, tree, threshold and golden rows, so it can serve when all other
files of the package except the schema and the reference are damaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.modeling.baselines import fit_baseline
from pipeline.modeling.calibration import Calibration
from pipeline.modeling.classifier import Classifier
from pipeline.modeling.encoding import Encoder
from pipeline.package.golden import make_golden_rows
from pipeline.package.golden_check import check_golden

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Schema

__all__ = ["RULE_FILE", "fit_rule_baseline", "rule_baseline_from_dict"]

RULE_FILE = "rule.json"
_BASELINE = "depth_2_tree"
_N_GOLDEN_ROWS = 8
_MAX_NODES = 7
_IS_MISSING = "is missing"


@dataclass(frozen=True, slots=True)
class _DecisionTree:
    """Splits and class shares by node; a node whose `left` is -1 is a leaf.

    A node whose threshold is the text "is missing" asks just that: `missing_goes_left` is the side of the missing
    values, and all others go to the other side.
    """

    feature: tuple[int, ...]
    threshold: tuple[float | str, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    missing_goes_left: tuple[bool, ...]
    shares: tuple[tuple[float, ...], ...]
    classes_: tuple[int, ...]

    def predict_proba(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the class shares of the leaf of each row, shape (n_rows, len(classes_))."""
        at = np.zeros(len(matrix), dtype=np.int64)
        rows = np.arange(len(matrix))
        feature, left, right = (np.array(values) for values in (self.feature, self.left, self.right))
        threshold = np.array([np.nan if value == _IS_MISSING else value for value in self.threshold], dtype=np.float64)
        by_gap = np.array(self.missing_goes_left)
        for _ in range(len(self.left)):
            value = matrix[rows, np.maximum(feature[at], 0)]
            present_goes_left = np.where(np.isnan(threshold[at]), ~by_gap[at], value <= threshold[at])
            goes_left = np.where(np.isnan(value), by_gap[at], present_goes_left)
            following = np.where(goes_left, left[at], right[at])
            if (following < 0).all():
                break
            at = np.where(following < 0, at, following)
        return np.asarray(np.array(self.shares, dtype=np.float64)[at])


def fit_rule_baseline(train: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Fit the rule baseline to the train rows; return plain values, with golden rows and their predictions."""
    fitted = fit_baseline(_BASELINE, train, schema, seed=0)
    tree = fitted.estimator.tree_
    shares = tree.value[:, 0, :]
    plain = {
        "feature": tree.feature.tolist(),
        # scikit-learn writes the split of missing from present values with an infinite threshold.
        "threshold": [value if math.isfinite(value) else _IS_MISSING for value in tree.threshold.tolist()],
        "left": tree.children_left.tolist(),
        "right": tree.children_right.tolist(),
        "missing_goes_left": [bool(goes_left) for goes_left in tree.missing_go_to_left],
        "shares": (shares / shares.sum(axis=1, keepdims=True)).tolist(),
        "classes_": [int(code) for code in fitted.estimator.classes_],
    }
    encoder = fitted.encoder.as_dict()
    classifier = _build_classifier(schema, Encoder.from_dict(encoder), plain, threshold=fitted.threshold)
    return {
        "encoder": encoder,
        "golden": make_golden_rows(classifier, train, n_rows=_N_GOLDEN_ROWS),
        "threshold": fitted.threshold,
        "tree": plain,
    }


def rule_baseline_from_dict(plain: Mapping[str, Any], schema: Schema) -> Classifier:
    """Build the rule baseline and verify its predictions on its golden rows.

    Raises
    ------
    IntegrityError
        When the values are not what `fit_rule_baseline` writes, or a prediction differs.
    """
    try:
        classifier = _build_classifier(
            schema, Encoder.from_dict(plain["encoder"]), plain["tree"], threshold=plain["threshold"]
        )
        golden = plain["golden"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{RULE_FILE}: invalid content ({error}); restore the package") from error
    check_golden(golden, classifier.predict_proba)
    return classifier


def _build_classifier(
    schema: Schema, encoder: Encoder, plain: Mapping[str, Any], *, threshold: float | None
) -> Classifier:
    tree = _DecisionTree(
        **{name: tuple(values) for name, values in plain.items() if name != "shares"},
        shares=tuple(tuple(row) for row in plain["shares"]),
    )
    n_nodes = len(tree.left)
    lengths = {
        len(values) for values in (tree.feature, tree.threshold, tree.right, tree.missing_goes_left, tree.shares)
    }
    if lengths != {n_nodes} or not 0 < n_nodes <= _MAX_NODES:
        raise ValueError("the tree's lists have different lengths")
    if max((*tree.left, *tree.right)) >= n_nodes or max(tree.feature) >= len(encoder.feature_names_out_):
        raise ValueError("the tree refers to a node or feature that does not exist")
    return Classifier(schema=schema, encoder=encoder, estimator=tree, calibration=Calibration(), threshold=threshold)
