from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import Column, ColumnKind, Schema, Target
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.leakage import TargetLeakage, detect_leakage

TARGET = Target("outcome", ("no", "yes"), "yes")
DTYPES = {"category": "category", "integer": "Int64", "float": "Float64", "text": "string"}


def leakage_of(kind: ColumnKind, values: object, outcome: object, *, purity: float = 0.985) -> Any:
    schema = Schema("made", (Column("hint", kind, DTYPES[kind], nullable=True),), TARGET)
    stats = collect_stats(open_rows(pd.DataFrame({"hint": values, "outcome": outcome}), schema), schema)
    return detect_leakage(stats.column("hint"), purity=purity)


def make_classes(n: int, share: float = 0.5) -> np.ndarray:
    return np.where(np.arange(n) < n * share, "yes", "no")


@pytest.mark.parametrize(("n", "is_caught"), [(72, False), (74, True)])
def test_copy_of_the_target_is_detected_from_73_rows(n: int, is_caught: bool) -> None:
    outcome = make_classes(n)
    assert (leakage_of("category", np.where(outcome == "yes", "b", "a"), outcome) is not None) is is_caught


def test_sparse_copy_of_the_target_is_a_copy() -> None:
    outcome = make_classes(10_000)
    hint = pd.Series(outcome).where(np.arange(10_000) % 100 == 0)
    leak = leakage_of("category", hint, outcome)
    assert leak == TargetLeakage(0.01, leak.purity, is_copy=True, values=("no", "yes"))
    assert leak.purity == pytest.approx(0.9287, abs=1e-4)


def test_copy_with_a_single_error_is_detected_by_its_purity() -> None:
    outcome = make_classes(1_000)
    hint = outcome.copy()
    hint[0] = "no"
    leak = leakage_of("category", hint, outcome)
    assert leak == TargetLeakage(1.0, leak.purity, is_copy=False, values=("no", "yes"))


def test_single_pure_value_is_leakage() -> None:
    outcome = make_classes(4_000)
    hint = np.where(np.arange(4_000) < 1_000, "a", np.where(np.arange(4_000) % 2 == 0, "b", "c"))
    leak = leakage_of("category", hint, outcome)
    assert leak == TargetLeakage(0.25, leak.purity, is_copy=False, values=("a",))
    assert leak.purity == pytest.approx(0.99617, abs=1e-5)


def test_number_that_separates_the_classes_is_leakage() -> None:
    rng = np.random.default_rng(0)
    outcome = make_classes(20_000)
    leak = leakage_of("float", np.where(outcome == "yes", 0.97, 0.03) + rng.normal(0, 0.005, 20_000), outcome)
    assert leak.share > 0.9


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01, 0.001])
def test_independent_column_is_not_leakage_however_rare_a_class(share: float) -> None:
    rng = np.random.default_rng(0)
    outcome = rng.permutation(make_classes(50_000, share))
    assert leakage_of("integer", rng.integers(0, 6, 50_000), outcome) is None
    assert leakage_of("float", rng.normal(size=50_000), outcome) is None


def test_rare_values_are_not_leakage() -> None:
    outcome = make_classes(500)
    assert leakage_of("text", [f"row {at}" for at in range(500)], outcome) is None


def test_single_class_has_no_leakage() -> None:
    assert leakage_of("category", ["a"] * 500, ["yes"] * 500) is None
