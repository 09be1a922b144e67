"""A column drifts when its change is large and significant; every other result has its own verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import drift_rules
from pipeline.errors import UsageError
from pipeline.monitoring import DriftContext, count_frame, detect_drift, require_consecutive_windows
from pipeline.monitoring.drift.column_tests import ColumnTest
from pipeline.monitoring.drift.detection import AdjustedTest, override_numeric_threshold
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.drift_fixtures import (
    CONFIG,
    CONTEXT,
    N_ROWS,
    SCHEMA,
    count_rows,
    detect,
    make_reference,
    sample_rows,
)

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.groups.monitoring_config import DriftConfig
    from pipeline.package import Reference


def verdicts(
    frame: pd.DataFrame, reference: Reference | None = None, *, context: DriftContext = CONTEXT
) -> dict[str, str]:
    findings = detect(frame, reference, context=context).findings
    return {finding.column: finding.verdict for finding in findings}


def test_rows_of_the_same_kind_are_stable() -> None:
    report = detect(sample_rows(5_000, 7))
    assert {finding.verdict for finding in report.findings} == {"stable"}
    assert report.summary == "stable: 5,000 rows against 10,000"


def test_only_the_shifted_column_drifts() -> None:
    assert verdicts(sample_rows(2_000, 7, shift=0.3)) == {"size": "drift", "visits": "stable", "plan": "stable"}


def test_a_change_of_missing_values_drifts_and_is_described() -> None:
    finding = detect(sample_rows(3_000, 7, missing=0.19)).findings[0]
    assert (finding.column, finding.verdict, finding.statistic) == ("size", "drift", "missing")
    assert finding.summary.startswith("share of missing values rose from 6% to 19.6%")


def test_a_small_shift_of_many_rows_is_stable() -> None:
    assert detect(sample_rows(300_000, 7, shift=0.01)).verdict == "stable"


def test_a_shift_between_half_the_threshold_and_the_threshold_gives_watch() -> None:
    assert verdicts(sample_rows(100_000, 7, shift=0.08))["size"] == "watch"


def test_few_rows_give_not_enough_data_and_report_power() -> None:
    report = detect(sample_rows(150, 7, shift=1.0))
    assert {finding.verdict for finding in report.findings} == {"not_enough_data"}
    assert report.verdict == "not_enough_data"
    assert all(
        finding.power is not None and finding.power < 0.5 for finding in report.findings if finding.column == "size"
    )


def test_undeclared_categories_drift() -> None:
    frame = sample_rows(2_000, 7)
    frame["plan"] = "gold"
    finding = detect(frame).findings[0]
    assert (finding.column, finding.verdict, finding.statistics["unseen_share"]) == ("plan", "drift", 1.0)
    assert "share of undeclared categories rose from 0% to 100%" in finding.summary


@pytest.mark.parametrize("outlier", [1e12, -1e12, np.inf])
@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_one_outlier_changes_no_verdict(outlier: float, shift: float) -> None:
    frame = sample_rows(2_000, 7, shift=shift)
    with_outlier = frame.copy()
    with_outlier.loc[0, "size"] = outlier
    assert verdicts(with_outlier) == verdicts(frame)
    training = sample_rows(N_ROWS, 0)
    training.loc[0, "size"] = outlier if np.isfinite(outlier) else 1e12
    assert verdicts(frame, reference=make_reference(training)) == verdicts(frame)


def test_a_column_that_is_not_there_or_of_another_kind_is_not_evaluated() -> None:
    frame = sample_rows(1_000, 7).drop(columns="visits")
    frame["size"] = "tall"
    findings = {finding.column: finding for finding in detect(frame).findings}
    assert {name: finding.verdict for name, finding in findings.items()} == {
        "visits": "not_evaluated",
        "size": "not_evaluated",
        "plan": "stable",
    }
    assert findings["visits"].summary == "not evaluated: the rows have no such column"
    assert "cannot be counted" in findings["size"].summary


def test_an_empty_column_drifts_in_its_missing_share() -> None:
    frame = sample_rows(1_000, 7)
    frame["size"] = np.nan
    finding = detect(frame).findings[0]
    assert (finding.column, finding.verdict, finding.statistic) == ("size", "drift", "missing")


def test_a_window_far_outside_of_training_drifts() -> None:
    frame = sample_rows(1_000, 7)
    frame["visits"] = frame["visits"] + 1_000
    finding = detect(frame).findings[0]
    assert (finding.column, finding.verdict, finding.direction) == ("visits", "drift", "up")
    assert "share above the training range rose from 0% to 100%" in finding.summary


@pytest.mark.parametrize(("value", "expected"), [(5.0, "stable"), (6.0, "drift")])
def test_a_constant_training_column_is_compared_by_shares(value: float, expected: str) -> None:
    training, frame = sample_rows(N_ROWS, 0), sample_rows(1_000, 7)
    training["size"], frame["size"] = 5.0, value
    assert verdicts(frame, reference=make_reference(training))["size"] == expected


def test_a_column_that_was_empty_in_training_drifts_when_values_come() -> None:
    training = sample_rows(N_ROWS, 0)
    training["size"] = np.nan
    assert verdicts(sample_rows(1_000, 7), reference=make_reference(training))["size"] == "drift"
    still_empty = sample_rows(1_000, 7)
    still_empty["size"] = np.nan
    assert verdicts(still_empty, reference=make_reference(training))["size"] == "stable"


def test_predictions_are_tested_beside_the_features() -> None:
    reference, frame = make_reference(), sample_rows(2_000, 7)
    score = np.random.default_rng(3).beta(2, 5, 2_000)
    counts = count_frame(
        reference,
        frame,
        n_rows=2_000,
        score=score,
        confidence=np.maximum(score, 1 - score),
        predicted=np.where(score < 0.5, "no", "yes"),
    )
    report = detect_drift(reference, counts, CONTEXT)
    assert {(finding.kind, finding.column) for finding in report.findings if finding.verdict == "drift"} >= {
        ("prediction", "score"),
        ("prediction", "class"),
    }


def test_a_column_can_override_the_threshold() -> None:
    frame = sample_rows(2_000, 7, shift=0.3)
    assert verdicts(frame, context=replace(CONTEXT, column_thresholds={"size": 0.7}))["size"] == "stable"


def test_an_earlier_window_can_be_the_baseline() -> None:
    reference = make_reference()
    shifted = count_rows(reference, sample_rows(5_000, 7, shift=0.5))
    report = detect_drift(reference, count_rows(reference, sample_rows(5_000, 8, shift=0.5)), CONTEXT, baseline=shifted)
    assert (report.verdict, report.n_reference) == ("stable", 5_000)


def test_drift_gives_watch_until_enough_consecutive_windows() -> None:
    shifted, stable = detect(sample_rows(2_000, 7, shift=0.5)), detect(sample_rows(2_000, 8))
    config = with_consecutive_windows(3)
    assert require_consecutive_windows(shifted, [shifted, shifted], config).drifted_columns == ("size",)
    for earlier in ([], [shifted], [shifted, stable], [stable, shifted]):
        report = require_consecutive_windows(shifted, earlier, config)
        assert (report.drifted_columns, report.verdict) == ((), "watch")
    assert require_consecutive_windows(shifted, [], CONFIG) == shifted


def with_consecutive_windows(windows: int) -> DriftConfig:
    return CONFIG.model_copy(update={"consecutive_windows": windows})


@pytest.mark.parametrize(
    "case", [case for case in drift_rules.CASES if case.n in (200, 1_000_000) or case.is_drifted], ids=str
)
def test_error_rates_of_the_drift_rule_are_within_bounds(case: drift_rules.DriftCase) -> None:
    """benchmarks/drift_rules.py runs the full number of draws; docs/explanation/drift-detection.md has its table."""
    share = drift_rules.detection_rates(case, 100, seed=1, rules=("engine",))["engine"]
    assert share >= drift_rules.BAR_FOUND if case.is_drifted else share <= drift_rules.BAR_FALSE


def test_holm_correction_covers_all_columns() -> None:
    alone = replace(SCHEMA, columns=SCHEMA.columns[:1])
    reference = make_reference(sample_rows(N_ROWS, 0)[["size"]], alone)
    first = detect(sample_rows(2_000, 7, shift=0.3)[["size"]], reference).findings[0]
    among_three = detect(sample_rows(2_000, 7, shift=0.3)).findings[0]
    # Four tests of a number and one of words; the distance has the second smallest p-value.
    assert (first.alpha, among_three.alpha) == (pytest.approx(0.02 / 3), pytest.approx(0.02 / 8))


def test_an_explicit_threshold_counts_also_when_it_equals_the_usual_one() -> None:
    numeric = CONFIG.numeric.model_copy(update={"wasserstein": 0.3})
    config = CONFIG.model_copy(update={"numeric": numeric})
    overridden = override_numeric_threshold(config, 0.1)
    assert (overridden.numeric.wasserstein, overridden.categorical.jensen_shannon) == (0.1, 0.05)
    assert override_numeric_threshold(config, None) is config


@pytest.mark.parametrize("threshold", [0.0, -0.1, float("nan")])
def test_a_threshold_that_is_not_above_zero_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match=r"drift_threshold: .*; expected a number above 0"):
        override_numeric_threshold(CONFIG, threshold)


@pytest.mark.parametrize(
    ("value", "p_value", "expected"),
    [
        (0.2, 0.001, "drift"),
        (0.2, 0.01, "stable"),
        (0.1, 0.001, "watch"),
        (0.051, 0.001, "watch"),
        (0.05, 0.001, "stable"),
    ],
)
def test_a_test_has_its_verdict_by_level_and_threshold(value: float, p_value: float, expected: str) -> None:
    test = ColumnTest("size", "feature", "wasserstein", value=value, threshold=0.1, p_value=p_value, power=1.0)
    assert AdjustedTest(test, alpha=0.01).verdict == expected


def test_the_context_has_the_thresholds_of_the_columns() -> None:
    columns = tuple(replace(column, drift_limit=0.7 if column.name == "size" else None) for column in SCHEMA.columns)
    context = DriftContext.from_config(settings(), replace(SCHEMA, columns=columns), importance={"size": 1.0})
    assert context == DriftContext(CONFIG, settings().monitoring.min_rows, {"size": 0.7}, {"size": 1.0})


@pytest.mark.parametrize(
    ("n_rows", "n_baseline", "shortage"),
    [
        (0, None, "no rows in this window, 200 needed"),
        (1, None, "1 of 200 rows needed"),
        (199, None, "199 of 200 rows needed"),
        (500, 0, "no rows to compare with, 200 needed"),
        (500, 150, "150 of 200 rows needed to compare with"),
    ],
)
def test_too_few_rows_have_no_numbers_and_name_what_is_needed(
    n_rows: int, n_baseline: int | None, shortage: str
) -> None:
    reference = make_reference()
    window = count_rows(reference, sample_rows(max(n_rows, 1), 7, shift=3.0).head(n_rows))
    baseline = None if n_baseline is None else count_rows(reference, sample_rows(500, 3).head(n_baseline))
    report = detect_drift(reference, window, CONTEXT, baseline=baseline)
    assert (report.verdict, report.summary) == ("not_enough_data", f"not enough data: {shortage}")
    for finding in report.as_dict()["findings"]:
        numbers = [finding[name] for name in ("value", "threshold", "p_value", "alpha", "statistic", "direction")]
        assert set(numbers) == {None}
        assert (finding["statistics"], finding["shares"]) == ({}, [])
        assert finding["summary"] == f"too few rows for a verdict: {shortage}"
