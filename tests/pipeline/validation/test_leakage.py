from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import Column, Kind, Schema, Target
from pipeline.validation.leakage import Leak, find_leak
from pipeline.validation.table import open_rows
from pipeline.validation.tally import count_rows

TARGET = Target("answer", ("no", "yes"), "yes")
DTYPES = {"category": "category", "integer": "Int64", "float": "Float64", "text": "string"}


def leak_of(kind: Kind, values: object, answer: object, *, purity: float = 0.985) -> Any:
    schema = Schema("made", (Column("hint", kind, DTYPES[kind], nullable=True),), TARGET)
    tally = count_rows(open_rows(pd.DataFrame({"hint": values, "answer": answer}), schema), schema)
    return find_leak(tally.column("hint"), purity=purity)


def answers(n: int, share: float = 0.5) -> np.ndarray:
    return np.where(np.arange(n) < n * share, "yes", "no")


@pytest.mark.parametrize(("n", "is_caught"), [(72, False), (74, True)])
def test_a_copy_is_called_one_from_73_rows_on(n: int, is_caught: bool) -> None:
    answer = answers(n)
    assert (leak_of("category", np.where(answer == "yes", "b", "a"), answer) is not None) is is_caught


def test_a_copy_of_few_rows_is_a_copy() -> None:
    answer = answers(10_000)
    hint = pd.Series(answer).where(np.arange(10_000) % 100 == 0)
    leak = leak_of("category", hint, answer)
    assert leak == Leak(0.01, leak.purity, is_copy=True, values=("no", "yes"))
    assert leak.purity == pytest.approx(0.9287, abs=1e-4)


def test_a_copy_with_one_error_is_judged_by_its_certainty() -> None:
    answer = answers(1_000)
    hint = answer.copy()
    hint[0] = "no"
    leak = leak_of("category", hint, answer)
    assert leak == Leak(1.0, leak.purity, is_copy=False, values=("no", "yes"))


def test_one_pure_value_gives_the_class_of_its_rows_away() -> None:
    answer = answers(4_000)
    hint = np.where(np.arange(4_000) < 1_000, "a", np.where(np.arange(4_000) % 2 == 0, "b", "c"))
    leak = leak_of("category", hint, answer)
    assert leak == Leak(0.25, leak.purity, is_copy=False, values=("a",))
    assert leak.purity == pytest.approx(0.99617, abs=1e-5)


def test_a_number_that_tells_the_class_is_caught_in_parts() -> None:
    rng = np.random.default_rng(0)
    answer = answers(20_000)
    leak = leak_of("float", np.where(answer == "yes", 0.97, 0.03) + rng.normal(0, 0.005, 20_000), answer)
    assert leak.share > 0.9


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01, 0.001])
def test_a_column_that_knows_nothing_is_never_called_a_leak_however_rare_a_class_is(share: float) -> None:
    rng = np.random.default_rng(0)
    answer = rng.permutation(answers(50_000, share))
    assert leak_of("integer", rng.integers(0, 6, 50_000), answer) is None
    assert leak_of("float", rng.normal(size=50_000), answer) is None


def test_a_value_seen_a_few_times_proves_nothing() -> None:
    answer = answers(500)
    assert leak_of("text", [f"row {at}" for at in range(500)], answer) is None


def test_one_class_alone_can_not_be_given_away() -> None:
    assert leak_of("category", ["a"] * 500, ["yes"] * 500) is None
