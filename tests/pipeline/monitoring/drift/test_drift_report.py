"""A report has one verdict, one sentence, and plain values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.monitoring import BinCounts, detect_drift
from tests.pipeline.monitoring.drift_fixtures import (
    CONTEXT,
    detect,
    make_reference,
    sample_rows,
)


def test_a_report_is_plain_values() -> None:
    values = detect(sample_rows(2_000, 7, shift=0.3)).as_dict()
    assert (values["verdict"], values["drifted"], values["findings"][0]["column"]) == ("drift", ["size"], "size")
    assert values["summary"].startswith("1 of 3 drifted (2,000 rows against 10,000). size: mean rose from")


def test_nothing_counted_gives_no_verdict() -> None:
    report = detect_drift(make_reference(), BinCounts(500, {}), CONTEXT)
    assert (report.verdict, report.findings) == ("not_evaluated", ())


def test_findings_are_ordered_by_feature_importance() -> None:
    frame = sample_rows(5_000, 7, shift=1.5)
    frame["plan"] = np.where(np.arange(5_000) % 4 == 0, "pro", "basic")
    by_importance = detect(frame, context=replace(CONTEXT, importance={"size": 0.01, "plan": 0.99, "visits": 0.0}))
    assert [finding.column for finding in detect(frame).findings][:2] == ["size", "plan"]
    assert [finding.column for finding in by_importance.findings][:2] == ["plan", "size"]
    assert by_importance.findings[0].importance == pytest.approx(0.99)
