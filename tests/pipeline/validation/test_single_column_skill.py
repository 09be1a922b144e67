from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import Column, ColumnKind, Schema, Target
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.single_column_skill import ColumnSkill, measure_skill, wilson_lower
from tests.pipeline.validation.validation_samples import LIMITS

DTYPES = {"category": "category", "float": "Float64", "text": "string"}


def skill_of(kind: ColumnKind, values: Any, outcome: Any) -> ColumnSkill:
    target = Target("outcome", tuple(sorted(set(outcome))))
    schema = Schema("made", (Column("hint", kind, DTYPES[kind], nullable=True),), target)
    stats = collect_stats(open_rows(pd.DataFrame({"hint": values, "outcome": outcome}), schema), schema)
    return measure_skill(stats.column("hint"))


@pytest.mark.parametrize(
    ("hits", "n", "expected"), [(0, 0, 0.0), (0, 10, 0.0), (73, 73, 0.95001), (124, 124, 0.96995), (1, 2, 0.09453)]
)
def test_wilson_bound_of_known_counts(hits: int, n: int, expected: float) -> None:
    assert wilson_lower(np.array([hits]), np.array([n]))[0] == pytest.approx(expected, abs=1e-5)


def test_index_counts_hits_misses_and_false_alarms_of_the_rarer_class() -> None:
    """Of the word b 7 rows are yes and 3 no; of a 4 yes and 26 no: 7 hits, 4 misses, 3 false alarms."""
    words = ["b"] * 10 + ["a"] * 30
    outcome = ["yes"] * 7 + ["no"] * 3 + ["yes"] * 4 + ["no"] * 26
    assert skill_of("category", words, outcome).index == pytest.approx(7 / 14)


def test_missing_is_a_value() -> None:
    outcome = ["yes"] * 40 + ["no"] * 60
    assert skill_of("category", [None] * 40 + ["a"] * 60, outcome).index == 1.0
    assert skill_of("float", pd.array([None] * 40 + [*range(60)], dtype="Float64"), outcome).index == 1.0


def test_interval_of_numbers_is_found_by_the_tree() -> None:
    numbers = np.arange(1_000) / 7
    outcome = np.where((numbers > 40) & (numbers < 90), "yes", "no")
    assert skill_of("float", numbers, outcome).index > 0.99


def test_value_of_a_single_row_predicts_nothing() -> None:
    outcome = ["yes"] * 40 + ["no"] * 60
    assert skill_of("text", [f"row {at}" for at in range(100)], outcome) == ColumnSkill(0.0, 0.0)


@pytest.mark.parametrize("n", [60, 400])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_columns_that_know_nothing_stay_far_below_the_limit(n: int, share: float) -> None:
    """Simulated: 40 columns each of numbers, of words and of texts that repeat."""
    rng = np.random.default_rng(0)
    outcome = np.where(np.arange(n) < n * share, "yes", "no")
    for _ in range(40):
        for kind, values in (
            ("float", rng.normal(size=n)),
            ("category", rng.choice(list("abcdefgh"), n)),
            ("text", rng.integers(0, n // 2, n).astype(str)),
        ):
            assert skill_of(kind, values, outcome).lower < LIMITS.leakage.skill - 0.25  # type: ignore[arg-type]
