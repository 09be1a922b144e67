from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import Column, ColumnKind, Schema, Target
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.leakage import TargetLeakage, detect_leakage
from tests.pipeline.validation.validation_samples import LIMITS

TARGET = Target("outcome", ("no", "yes"), "yes")
DTYPES = {
    "category": "category",
    "integer": "Int64",
    "float": "Float64",
    "text": "string",
    "boolean": "boolean",
    "datetime": "datetime64[us]",
}


def leakage_of(kind: ColumnKind, values: object, outcome: object, *, target: Target = TARGET) -> Any:
    schema = Schema("made", (Column("hint", kind, DTYPES[kind], nullable=True),), target)
    stats = collect_stats(open_rows(pd.DataFrame({"hint": values, "outcome": outcome}), schema), schema)
    return detect_leakage(stats.column("hint"), LIMITS.leakage)


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
    assert leak == TargetLeakage("copy", 0.01, leak.purity, ("no", "yes"))
    assert leak.purity == pytest.approx(0.963, abs=1e-4)


def test_copy_with_a_single_error_predicts_the_class() -> None:
    outcome = make_classes(1_000)
    hint = outcome.copy()
    hint[0] = "no"
    leak = leakage_of("category", hint, outcome)
    assert leak == TargetLeakage("skill", 1.0, leak.purity)
    # 499 hits, 1 miss, no false alarm.
    assert leak.purity == pytest.approx(0.98876, abs=1e-5)


def test_single_pure_value_is_named() -> None:
    outcome = make_classes(4_000)
    hint = np.where(np.arange(4_000) < 1_000, "a", np.where(np.arange(4_000) % 2 == 0, "b", "c"))
    leak = leakage_of("category", hint, outcome)
    assert leak == TargetLeakage("values", 0.25, leak.purity, ("a",))
    assert leak.purity == pytest.approx(0.99617, abs=1e-5)


PRESENT: dict[str, tuple[ColumnKind, Any]] = {
    "number": ("float", lambda rng, n: rng.normal(size=n)),
    "day": ("integer", lambda rng, n: rng.integers(1, 29, n)),
    "moment": ("datetime", lambda rng, n: np.datetime64("2026-01-01") + rng.integers(0, 10**9, n).astype("m8[ms]")),
    "word": ("category", lambda rng, n: rng.choice(list("abc"), n)),
    "text": ("text", lambda rng, n: np.array([f"ticket {at} of {rng.integers(9)}" for at in range(n)], dtype=object)),
    "flag": ("boolean", lambda rng, n: rng.random(n) < 0.5),
    "unique texts": ("text", lambda rng, n: np.array([f"{at:,}" for at in rng.permutation(n)], dtype=object)),
}


@pytest.mark.parametrize("case", PRESENT)
@pytest.mark.parametrize("n", [200, 6_000])
def test_column_that_is_filled_in_after_the_outcome_is_leakage(case: str, n: int) -> None:
    kind, make = PRESENT[case]
    outcome = make_classes(n, 0.4)
    values = pd.Series(make(np.random.default_rng(0), n), dtype=object).where(outcome == "yes")
    values = values.convert_dtypes() if kind != "datetime" else pd.to_datetime(values)
    leak = leakage_of(kind, values, outcome)
    assert (leak.evidence, leak.share, leak.examples) == ("presence", 1.0, ("present", "missing"))


@pytest.mark.parametrize(
    ("present_yes", "present_no", "sides"),
    [
        ((477, 500), (9, 809), ("present", "missing")),  # a lifeboat's number, of survivors
        ((0, 500), (121, 809), ("present",)),  # a body's number, of the others
        ((314, 318), (0, 1_311), ("present", "missing")),  # month of death
        ((500, 500), (400, 809), ("missing",)),  # still open, of one class only
    ],
)
def test_column_that_is_mostly_filled_in_after_the_outcome_is_leakage(
    present_yes: tuple[int, int], present_no: tuple[int, int], sides: tuple[str, ...]
) -> None:
    outcome = ["yes"] * present_yes[1] + ["no"] * present_no[1]
    hint = [1] * present_yes[0] + [None] * (present_yes[1] - present_yes[0])
    hint += [1] * present_no[0] + [None] * (present_no[1] - present_no[0])
    leak = leakage_of("integer", pd.array(hint, dtype="Int64"), outcome)
    assert (leak.evidence, leak.examples) == ("presence", sides)


def test_column_whose_gaps_are_informative_is_not_leakage() -> None:
    """Present for 85 % of one class and for 15 % of the other: a model may use that."""
    outcome = make_classes(400)
    is_present = np.arange(400) % 20 < np.where(outcome == "yes", 17, 3)
    assert leakage_of("float", pd.Series(np.arange(400.0) % 60).where(is_present), outcome) is None


@pytest.mark.parametrize("n", [300, 20_000])
def test_number_that_separates_the_classes_is_leakage(n: int) -> None:
    rng = np.random.default_rng(0)
    outcome = make_classes(n)
    leak = leakage_of("float", np.where(outcome == "yes", 0.97, 0.03) + rng.normal(0, 0.005, n), outcome)
    assert (leak.evidence, leak.share) == ("skill", 1.0)


def test_amount_that_is_zero_before_the_outcome_is_leakage() -> None:
    outcome = make_classes(600, 0.3)
    amount = np.where(outcome == "yes", np.random.default_rng(0).random(600) + 0.01, 0.0)
    assert leakage_of("float", amount, outcome).evidence == "skill"


def test_codes_without_an_order_that_give_three_classes_away_are_leakage() -> None:
    rng = np.random.default_rng(0)
    target = Target("outcome", ("a", "b", "c"))
    codes = rng.integers(0, 40, 900)
    outcome = np.array(["a", "b", "c"])[(codes * 7) % 3]
    assert leakage_of("integer", codes, outcome, target=target).evidence == "skill"


def test_strong_and_honest_column_is_not_leakage() -> None:
    """A rule that is right for 96.9 % of the rows, as in the shipped problem."""
    rng = np.random.default_rng(0)
    outcome = make_classes(18_000, 0.26)
    flag = np.where(rng.random(18_000) < 0.969, outcome == "yes", outcome == "no")
    assert leakage_of("boolean", flag, outcome) is None
    assert leakage_of("float", flag + rng.normal(0, 0.1, 18_000), outcome) is None


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01, 0.001])
def test_independent_column_is_not_leakage_however_rare_a_class(share: float) -> None:
    rng = np.random.default_rng(0)
    outcome = rng.permutation(make_classes(50_000, share))
    assert leakage_of("integer", rng.integers(0, 6, 50_000), outcome) is None
    assert leakage_of("float", pd.Series(rng.normal(size=50_000)).where(rng.random(50_000) < 0.1), outcome) is None


def test_rare_values_are_not_leakage() -> None:
    outcome = make_classes(500)
    assert leakage_of("text", [f"row {at}" for at in range(500)], outcome) is None


def test_single_class_has_no_leakage() -> None:
    assert leakage_of("category", ["a"] * 500, ["yes"] * 500) is None
