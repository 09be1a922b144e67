"""Limits have one form, and a mitigation states its column and the reason why it is lawful."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from tests.fixtures.toy_dataset import settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fairness.metrics.log_loss={max_gap: null}", "expected exactly one of them"),
        ("+fairness.metrics.log_loss.min_ratio=0.8", "expected exactly one of them"),
        ("fairness.mitigation.kind=reweigh", "`kind: reweigh` needs it"),
        ("fairness.mitigation={kind: thresholds, column: sex, reason: lawful}", "metric: found null"),
        ("fairness.gate=stop", "report"),
    ],
)
def test_contradicting_settings_are_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(override)
