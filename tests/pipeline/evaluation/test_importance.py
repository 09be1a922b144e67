"""Permutation importance ranks features by how much the metric worsens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.evaluation.importance import permutation_importance
from pipeline.modeling import row_importance
from pipeline.modeling.classifier import encode_target

if TYPE_CHECKING:
    from tests.pipeline.evaluation.conftest import PackagedProblem


def test_the_feature_that_determines_the_class_is_most_important(binary: PackagedProblem) -> None:
    first, *others = binary.report.importance
    assert first.column == "size"
    assert first.low > 0
    assert first.low <= first.mean <= first.high
    assert {feature.column for feature in others} == {"count", "colour", "is_new", "seen_at", "note"}
    assert max(abs(feature.mean) for feature in others) < first.mean


@pytest.mark.parametrize("metric", ["roc_auc", "brier"])
def test_importance_is_positive_for_worse_in_either_direction(binary: PackagedProblem, metric: str) -> None:
    codes = encode_target(binary.test, binary.package.schema.target)
    importances = permutation_importance(
        binary.package.serving_classifier, binary.test, codes, metric=metric, repeats=2, seed=0
    )
    assert importances[0].column == "size"
    assert importances[0].mean > 0


def test_importance_of_many_rows_uses_a_sample(binary: PackagedProblem) -> None:
    many = pd.concat([binary.test] * 40, ignore_index=True)
    codes = encode_target(many, binary.package.schema.target)
    importances = permutation_importance(
        binary.package.serving_classifier, many, codes, metric="log_loss", repeats=2, seed=0
    )
    assert importances[0].mean == pytest.approx(binary.report.importance[0].mean, rel=0.2)


def test_features_that_no_tree_reads_have_importance_zero_and_others_keep_theirs(
    binary: PackagedProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = encode_target(binary.test, binary.package.schema.target)

    def importances() -> dict[str, float]:
        measured = permutation_importance(
            binary.package.serving_classifier, binary.test, codes, metric="log_loss", repeats=3, seed=0
        )
        return {feature.column: feature.mean for feature in measured}

    unscreened = importances()
    monkeypatch.setattr(row_importance, "_MAX_UNSCREENED", 0)
    assert importances() == unscreened
