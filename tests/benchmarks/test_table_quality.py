"""The benchmark of real tables compares two models on the same folds, and states which differences exceed chance."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from table_quality import quality_line, score_rows

from tests.fixtures.toy_dataset import rows, schema, settings


def peer(log_loss: tuple[float, float, float], roc_auc: tuple[float, float, float]) -> dict[str, object]:
    differences = {
        name: dict(zip(("value", "low", "high"), values, strict=True))
        for name, values in (("log_loss", log_loss), ("roc_auc", roc_auc))
    }
    return {"cpu_seconds": 2.0, "difference": differences}


@pytest.mark.parametrize(
    ("log_loss", "roc_auc", "cell"),
    [
        ((-0.1, -0.2, -0.05), (0.1, 0.05, 0.2), "-0.1000 better / +0.1000 better; 0.5"),
        ((0.1, 0.05, 0.2), (-0.1, -0.2, -0.05), "+0.1000 **worse** / -0.1000 **worse**; 0.5"),
        ((0.1, -0.1, 0.3), (0.0, -0.1, 0.1), "+0.1000 / +0.0000; 0.5"),
    ],
)
def test_a_line_states_which_differences_exceed_chance(
    log_loss: tuple[float, float, float], roc_auc: tuple[float, float, float], cell: str
) -> None:
    ours = {"log_loss": 0.5, "roc_auc": 0.8, "cpu_seconds": 1.0}
    report = {
        "name": "small", "rows": 1000, "columns": 3, "classes": 2, "ours": ours, "skrub": peer(log_loss, roc_auc)
    }  # fmt: skip
    assert quality_line(report, ("skrub",)) == f"| small | 1,000 x 3 | 2 | 0.5000 / 0.8000 | {cell} |"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_row_is_scored_in_one_of_the_folds_of_the_settings(n_classes: int) -> None:
    config = settings("model=logistic_regression", "training.folds=3")
    scored = score_rows(rows(90, n_classes), config, schema(n_classes))
    assert sorted(set(scored.fold_of.tolist())) == [0, 1, 2]
    np.testing.assert_allclose(scored.probabilities.sum(axis=1), 1.0)
