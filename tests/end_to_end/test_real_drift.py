"""On real rows: every column of the original file drifts; the held-out part of the same file does not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.monitoring import DomainAuc, DriftContext, count_frame, detect_drift, domain_auc
from pipeline.package.reference import build_reference
from tests.end_to_end.test_real_data_thresholds import REAL, config, real, schema

if TYPE_CHECKING:
    from pipeline.monitoring import DriftReport

pytestmark = [
    pytest.mark.skipif(not REAL.is_dir(), reason=f"the real files are not at {REAL}; they may not be shipped"),
]


@cache
def held_out_rows() -> pd.DataFrame:
    rows = pd.read_csv(REAL / "s5e7_test.csv")
    for column in schema().features:
        rows[column.name] = rows[column.name].astype("string" if column.kind == "category" else column.dtype)
    return rows


def drift(window: pd.DataFrame) -> DriftReport:
    train = real("s5e7_train.csv")
    # Predictions are not compared here, so their values do not matter.
    predicted = np.full(len(train), schema().target.classes[0])
    reference = build_reference(train, schema(), score=np.linspace(0, 1, len(train)), predicted=predicted, n_bins=10)
    return detect_drift(
        reference, count_frame(reference, window, n_rows=len(window)), DriftContext(config().drift, min_rows=200)
    )


def domain_auc_of(window: pd.DataFrame) -> DomainAuc:
    limits = config().drift.multivariate
    return domain_auc(
        real("s5e7_train.csv"), window, schema(), config=limits, min_rows=200, confidence_level=0.95, seed=1
    )


def test_the_original_rows_drift_in_every_column() -> None:
    report = drift(real("personality_2900.csv"))
    psi = [finding.statistics["psi"] for finding in report.findings]
    assert set(report.drifted_columns) == set(schema().feature_names)
    assert (round(min(psi), 2), round(max(psi), 2)) == (0.23, 0.42)


def test_the_held_out_rows_are_stable() -> None:
    report = drift(held_out_rows())
    assert report.verdict == "stable"
    assert max(finding.statistics["psi"] for finding in report.findings) <= 0.003


def test_a_domain_classifier_separates_the_original_rows_and_not_the_held_out_ones() -> None:
    assert domain_auc_of(real("personality_2900.csv")).value == pytest.approx(0.80, abs=0.015)
    held_out = domain_auc_of(held_out_rows())
    assert (held_out.value, held_out.verdict) == (pytest.approx(0.496, abs=0.01), "stable")
