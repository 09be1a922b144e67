from __future__ import annotations

import pytest

from pipeline.schema.failures import ColumnFailure
from pipeline.validation.dataset_drift import DriftTestResult
from pipeline.validation.validation_rules import (
    check_stats,
    column_failure_findings,
    drift_findings,
    unreadable_column_findings,
)
from tests.pipeline.validation.validation_samples import LIMITS, SCHEMA, stats_of


def test_share_of_missing_values_decides_the_level() -> None:
    findings = check_stats(stats_of(size=[None, 1.0, 2.0, 3.0]), SCHEMA, LIMITS)
    (missing,) = (finding for finding in findings if finding.rule == "missing")
    assert (missing.column, missing.share, missing.message) == ("size", 0.25, "1 of 4 values are missing")


@pytest.mark.parametrize(("values", "message"), [([1, 1, 1, 1], "always 1"), ([None] * 4, "always missing")])
def test_constant_column_is_a_finding(values: list[int | None], message: str) -> None:
    findings = check_stats(stats_of(count=values, size=[1.0, 2.0, 3.0, 4.0], text=list("abcd")), SCHEMA, LIMITS)
    assert [finding.message for finding in findings if finding.rule == "constant"] == [message]


def test_all_rows_of_an_unreadable_column_fail() -> None:
    (finding,) = unreadable_column_findings({"size": "is missing"}, 4, LIMITS)
    assert (finding.message, finding.n_failed, finding.check) == ("size is missing", 4, "dtype")


@pytest.mark.parametrize(
    ("reason", "message"),
    [(None, "the column as a whole breaks `unique`"), ("no numbers", "`unique` could not run: no numbers")],
)
def test_failure_of_a_whole_column_names_its_rule(reason: str | None, message: str) -> None:
    (finding,) = column_failure_findings([ColumnFailure("size", "unique", reason)], 4, LIMITS)
    assert finding.message == message


def test_share_of_drifted_columns_decides_the_level() -> None:
    results = [DriftTestResult("size", 0.5, 0.1, 0.0, 0.01), DriftTestResult("count", 0.0, 0.1, 1.0, 0.01)]
    (finding,) = drift_findings(results, "drift", 4, LIMITS)
    assert (finding.column, finding.share) == ("size", 0.5)
    assert finding.message == "Jensen-Shannon distance 0.500 exceeds 0.1 (p = 0)"
