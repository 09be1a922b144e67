"""A report has one verdict, one sentence, and plain values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.monitoring import BinCounts, detect_drift
from pipeline.monitoring.drift import DomainAuc, DriftFinding, DriftReport
from tests.pipeline.monitoring.drift_fixtures import (
    CONTEXT,
    detect,
    make_reference,
    sample_rows,
)


def test_a_report_is_plain_values() -> None:
    values = detect(sample_rows(2_000, 7, shift=0.3)).as_dict()
    assert (values["verdict"], values["drifted"], values["findings"][0]["column"]) == ("drift", ["size"], "size")
    assert values["summary"].startswith("1 of 3 drifted (2,000 rows against 10,000). size: values shifted by")


def test_nothing_counted_gives_no_verdict() -> None:
    report = detect_drift(make_reference(), BinCounts(500, {}), CONTEXT)
    assert (report.verdict, report.findings) == ("not_evaluated", ())
    assert report.summary.startswith("not evaluated: 500 rows")


@pytest.mark.parametrize(
    ("auc", "low", "verdict", "start"),
    [
        (0.51, 0.49, "stable", "stable: "),
        (0.52, 0.51, "stable", "stable: "),
        (0.54, 0.52, "watch", "watch: the joint distribution "),
        (0.6, 0.58, "drift", "the joint distribution drifted, "),
        (None, None, "not_enough_data", "not enough data: "),
    ],
)
def test_the_sentence_of_a_report_has_its_verdict(
    auc: float | None, low: float | None, verdict: str, start: str
) -> None:
    joint = DomainAuc(auc, low, auc, 0.55, 300, 300)
    report = DriftReport(300, 300, (DriftFinding("size", "feature", "stable"),), joint)
    assert (report.verdict, report.summary.startswith(start)) == (verdict, True)
    assert joint.summary.startswith("a model separates") is (verdict in ("watch", "drift"))


def test_columns_that_were_not_evaluated_are_counted_beside_every_verdict() -> None:
    skipped = DriftFinding.not_evaluated("plan", "the rows have no such column")
    for verdict in ("drift", "watch", "stable", "not_enough_data"):
        report = DriftReport(300, 300, (DriftFinding("size", "feature", verdict), skipped))
        assert report.summary.endswith("; 1 column not evaluated")


def test_findings_are_ordered_by_feature_importance() -> None:
    frame = sample_rows(5_000, 7, shift=1.5)
    frame["plan"] = np.where(np.arange(5_000) % 4 == 0, "pro", "basic")
    by_importance = detect(frame, context=replace(CONTEXT, importance={"size": 0.01, "plan": 0.99, "visits": 0.0}))
    assert [finding.column for finding in detect(frame).findings][:2] == ["size", "plan"]
    assert [finding.column for finding in by_importance.findings][:2] == ["plan", "size"]
    assert by_importance.findings[0].importance == pytest.approx(0.99)
