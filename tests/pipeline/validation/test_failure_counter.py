"""Checks that only Pandera has: those of single values run batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pandera.extensions
import pandera.pandas as pa
import pytest

from pipeline.schema import Column, Schema
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.failure_counter import FailureCounter, whole_column_checks
from pipeline.validation.rule_failures import RuleFailures
from pipeline.validation.unique_keys import UniqueKey
from tests.pipeline.validation.validation_samples import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.validation.rule_failures import RowFailures


@pytest.fixture
def registered_checks() -> Iterator[None]:
    """Checks as a user registers them: of single values, and of a whole column."""

    def is_even(value: int) -> bool:
        return 12 // (value - 7) is not None and value % 2 == 0

    def rises(values: pd.Series) -> bool:
        return bool(values.is_monotonic_increasing)

    pandera.extensions.register_check_method(check_type="element_wise")(is_even)
    pandera.extensions.register_check_method(rises)
    yield
    for name in ("is_even", "rises"):
        del pa.Check.REGISTERED_CUSTOM_CHECKS[name]


SCHEMA = Schema("made", (Column("size", "integer", "Int64", checks={"is_even": {}, "rises": {}}),), TARGET)


def count_parts(values: list[int], stops: list[int]) -> RowFailures:
    rows = open_rows(pd.DataFrame({"size": values, "outcome": "no"}), SCHEMA)
    (batch,) = rows.batches()
    merged = FailureCounter(rows.kinds, SCHEMA, max_examples=2, n_rows=len(values))
    for start, stop in zip([0, *stops], [*stops, len(values)], strict=True):
        part = FailureCounter(rows.kinds, SCHEMA, max_examples=2, n_rows=stop - start, first_row=start)
        part.add(batch.slice(start, stop - start), start)
        merged.merge(part)
    return merged.to_failures({})


@pytest.mark.usefixtures("registered_checks")
@pytest.mark.parametrize("stops", [[], [2], [1, 3, 4]])
def test_a_check_of_single_values_runs_in_each_part(stops: list[int]) -> None:
    failures = count_parts([1, 2, 3, 5, 4], stops)
    (rule,) = failures.rules
    assert rule == RuleFailures("size", "is_even", 3, [0, 2], ["1", "3"])
    assert failures.failed_rows.mask().tolist() == [True, False, True, True, False]


@pytest.mark.usefixtures("registered_checks")
@pytest.mark.parametrize("stops", [[], [2], [1, 3, 4]])
def test_a_check_that_cannot_run_on_one_value_fails_no_row(stops: list[int]) -> None:
    failures = count_parts([1, 2, 7, 5, 4], stops)
    assert (failures.rules, failures.failed_rows.count()) == ((), 0)
    (failure,) = failures.columns
    assert (failure.column, failure.rule, "zero" in str(failure.reason)) == ("size", "is_even", True)


@pytest.mark.usefixtures("registered_checks")
def test_a_check_of_the_whole_column_is_named() -> None:
    assert [dict(column.checks) for column in whole_column_checks({"size": "integer"}, SCHEMA)] == [{"rises": {}}]


def test_repeated_keys_may_come_in_any_order_of_their_rows() -> None:
    counter = FailureCounter({}, SCHEMA, max_examples=2, n_rows=9)
    key = UniqueKey("size", ("size",), "unique")
    for rows in ([4, 8], [], [1, 2, 5]):
        counter.add_repeated(key, np.array(rows, dtype=np.int64))
    failures = counter.to_failures({})
    assert failures.rules == (RuleFailures("size", "unique", 5, [1, 2], [None, None]),)
    assert np.flatnonzero(failures.failed_rows.mask()).tolist() == [1, 2, 4, 5, 8]
