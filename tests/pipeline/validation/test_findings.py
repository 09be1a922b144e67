from __future__ import annotations

import pytest

from pipeline.config.groups.validation_config import SeverityThresholds
from pipeline.validation.findings import Level, ValidationFinding, level_for_share, shorten_text

THRESHOLDS = SeverityThresholds(warning=0.0, error=0.1, critical=0.5)


@pytest.mark.parametrize(
    ("share", "level"),
    [(0.0, "ok"), (0.01, "warning"), (0.1, "warning"), (0.11, "error"), (0.5, "error"), (1.0, "critical")],
)
def test_level_is_that_of_the_highest_exceeded_threshold(share: float, level: Level) -> None:
    assert level_for_share(share, THRESHOLDS) == level


def test_threshold_of_none_is_never_exceeded() -> None:
    assert level_for_share(1.0, SeverityThresholds(warning=0.5, error=None, critical=None)) == "warning"


def test_long_text_is_shortened_to_80_characters() -> None:
    assert shorten_text("a" * 80) == "a" * 80
    assert shorten_text("a" * 81) == f"{'a' * 80}... (81 characters)"


def test_plain_values_pair_rows_with_their_values() -> None:
    finding = ValidationFinding(
        "schema", "age", "error", 1 / 3, 1, 3, "1 of 3 rows", "a cause", rows=(2,), values=(None,)
    )
    plain = finding.as_dict()
    assert (plain["share"], plain["examples"]) == (0.333333, [{"row": 2, "value": None}])
