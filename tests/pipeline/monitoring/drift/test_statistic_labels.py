"""Each statistic has a label, an explanation and a text with its unit."""

from __future__ import annotations

import pytest

from pipeline.monitoring.drift.statistic_labels import (
    STATISTIC_EXPLANATIONS,
    STATISTIC_LABELS,
    statistic_label,
    statistic_text,
)


def test_each_label_has_an_explanation() -> None:
    assert STATISTIC_LABELS.keys() == STATISTIC_EXPLANATIONS.keys()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("missing_share_window", 0.0512, "5.1%"),
        ("wasserstein", 12.3456, "12.3 sd"),
        ("psi", 0.0, "0"),
        ("own", None, "-"),
    ],
)
def test_a_value_has_the_unit_of_its_statistic(name: str, value: float | None, expected: str) -> None:
    assert statistic_text(name, value) == expected


def test_an_unknown_statistic_is_named_in_words() -> None:
    assert statistic_label("largest_gap") == "Largest gap"
