"""Two packages are compared on the same rows, or not at all when one cannot score them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.gates.package_comparison import compare_packages
from pipeline.package import load_package
from tests.fixtures.small_packages import parts

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("log_loss", "accuracy")


def test_a_difference_changes_its_sign_with_the_order(packages: dict[str, Path]) -> None:
    linear, boosted = (load_package(packages[name]) for name in ("linear", "boosted"))
    rows = parts("personality", 600).test
    first, second = (
        compare_packages(new, old, rows, names=NAMES, confidence_level=0.95)
        for new, old in ((linear, boosted), (boosted, linear))
    )
    assert {name: estimate.value for name, estimate in first.items()} == pytest.approx(
        {name: -estimate.value for name, estimate in second.items()}
    )


def test_a_package_equals_itself(packages: dict[str, Path]) -> None:
    linear = load_package(packages["linear"])
    differences = compare_packages(linear, linear, parts("personality", 600).test, names=NAMES, confidence_level=0.95)
    assert {name: estimate.value for name, estimate in differences.items()} == dict.fromkeys(NAMES, 0.0)


def test_rows_without_a_feature_are_not_compared(packages: dict[str, Path]) -> None:
    linear = load_package(packages["linear"])
    rows = parts("personality", 600).test.drop(columns="Stage_fear")
    assert compare_packages(linear, linear, rows, names=NAMES, confidence_level=0.95) == {}
