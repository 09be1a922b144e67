"""Count the rows that break declared rules batch by batch; the counts of parts add up to those of the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.schema import Column
from pipeline.validation.arrow_rows import batches_to_frame, is_missing
from pipeline.validation.findings import shorten_text
from pipeline.validation.row_bits import RowBits
from pipeline.validation.rule_failures import RowFailures, RuleFailures, check_with_pandera, sort_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind, Schema
    from pipeline.schema.constraint_base import Constraint
    from pipeline.schema.failures import ColumnFailure
    from pipeline.validation.arrow_rows import ArrowRows
    from pipeline.validation.unique_keys import UniqueKey

__all__ = ["FailureCounter", "ValueCheck", "check_whole_columns", "whole_column_checks"]


@dataclass(frozen=True, slots=True)
class _ArrowRule:
    column: str
    name: str
    find_violations: Callable[[pa.Array], NDArray[np.bool_] | None]


class ValueCheck:
    """A check of single values that only Pandera has: its failures so far, unless it could not run."""

    def __init__(self, column: Column, n_rows: int) -> None:
        self.column = column
        self.failures = RuleFailures(column.name, next(iter(column.checks)))
        self.failed_rows = RowBits(n_rows)
        self.error: ColumnFailure | None = None


class FailureCounter:
    """The rows of a table, or of one part of it, that break a rule.

    Parameters
    ----------
    kinds : mapping
        Kind of each column that can be read in every part, in order.
    schema : Schema
    max_examples : int
        Rows listed for each rule.
    n_rows : int
        Rows of the table, or of the part.
    first_row : int
        Number of the first of them in the whole table.
    """

    def __init__(
        self, kinds: Mapping[str, ColumnKind], schema: Schema, *, max_examples: int, n_rows: int, first_row: int = 0
    ) -> None:
        self._max_examples = max_examples
        self.first_row = first_row
        self._rules = list(_arrow_rules(kinds, schema))
        self.value_checks = [
            ValueCheck(column, n_rows) for column, is_whole in _pandera_checks(kinds, schema) if not is_whole
        ]
        self.by_rule: dict[tuple[str, str], RuleFailures] = {}
        self.failed_rows = RowBits(n_rows)

    def add(self, batch: pa.RecordBatch, start: int) -> None:
        """Count the failures of a batch; `start` is the number of its first row in the whole table."""
        failed = np.zeros(len(batch), dtype=bool)
        for rule in self._rules:
            array = batch.column(rule.column)
            violations = rule.find_violations(array)
            if violations is not None:
                failed |= violations
                self._list_examples(self._failures_of(rule.column, rule.name), violations, start, array)
        if failed.any():
            self.failed_rows.add_mask(failed, start=start - self.first_row)
        for check in self.value_checks:
            if len(batch) and check.error is None:
                self._check_values(check, batch, start)

    def _failures_of(self, column: str, rule: str) -> RuleFailures:
        return self.by_rule.setdefault((column, rule), RuleFailures(column, rule))

    def _list_examples(
        self, failures: RuleFailures, violations: NDArray[np.bool_], start: int, array: pa.Array
    ) -> None:
        failures.n_failed += int(np.count_nonzero(violations))
        n_missing_examples = self._max_examples - len(failures.rows)
        if n_missing_examples > 0:
            positions = np.flatnonzero(violations)[:n_missing_examples]
            failures.rows += (positions + start).tolist()
            values = array.take(pa.array(positions)).to_pylist()
            failures.values += [None if value is None else shorten_text(str(value)) for value in values]

    def _check_values(self, check: ValueCheck, batch: pa.RecordBatch, start: int) -> None:
        frame = batches_to_frame([batch.select([check.column.name])])
        failures = _check_column(frame, check.column, self._max_examples)
        if failures.columns:
            check.error = failures.columns[0]
            return
        check.failed_rows.add_mask(failures.failed_rows.mask(), start=start - self.first_row)
        for found in failures.rules:
            self._extend(check.failures, replace(found, rows=[row + start for row in found.rows]))

    def _extend(self, failures: RuleFailures, following: RuleFailures) -> None:
        """Add the failures of later rows."""
        failures.n_failed += following.n_failed
        n_missing_examples = self._max_examples - len(failures.rows)
        failures.rows += following.rows[:n_missing_examples]
        failures.values += following.values[:n_missing_examples]  # noqa: PD011 - a list

    def add_repeated(self, key: UniqueKey, rows: NDArray[np.int64]) -> None:
        """Count rows, ascending, whose key another row has; equal keys are in one call, calls come in any order."""
        if not len(rows):
            return
        failures = self._failures_of(key.label, key.rule)
        failures.n_failed += len(rows)
        failures.rows = sorted(failures.rows + rows[: self._max_examples].tolist())[: self._max_examples]
        failures.values = [None] * len(failures.rows)
        self.failed_rows.add_rows(rows - self.first_row)

    def merge(self, part: FailureCounter) -> None:
        """Add the failures of a part; parts come in the order of their rows."""
        start = part.first_row - self.first_row
        for (column, rule), failures in part.by_rule.items():
            self._extend(self._failures_of(column, rule), failures)
        self.failed_rows.add_mask(part.failed_rows.mask(), start=start)
        for check, of_part in zip(self.value_checks, part.value_checks, strict=True):
            check.error = check.error or of_part.error
            self._extend(check.failures, of_part.failures)
            check.failed_rows.add_mask(of_part.failed_rows.mask(), start=start)

    def to_failures(self, of_columns: Mapping[tuple[str, str], RowFailures]) -> RowFailures:
        """Return all failures, with those of checks of whole columns by column and check."""
        rules = [*self.by_rule.values(), *(failures for each in of_columns.values() for failures in each.rules)]
        failed_rows = RowBits(self.failed_rows.n_rows)
        for bits in (self.failed_rows, *(each.failed_rows for each in of_columns.values())):
            failed_rows.add(bits)
        columns = [failure for each in of_columns.values() for failure in each.columns]
        for check in self.value_checks:
            if check.error is None:
                rules.append(check.failures)
                failed_rows.add(check.failed_rows)
            else:
                columns.append(check.error)
        return RowFailures(
            sort_failures(each for each in rules if each.n_failed),
            failed_rows,
            tuple(sorted(columns, key=lambda failure: (failure.column, failure.rule))),
        )


def check_whole_columns(rows: ArrowRows, schema: Schema, *, max_examples: int) -> dict[tuple[str, str], RowFailures]:
    """Return the failures of the checks that need all values of a column at once, by column and check."""
    return {
        (column.name, next(iter(column.checks))): _check_column(rows.to_frame([column.name]), column, max_examples)
        for column in whole_column_checks(rows.kinds, schema)
    }


def whole_column_checks(kinds: Mapping[str, ColumnKind], schema: Schema) -> list[Column]:
    """Return the checks that need all values of a column at once, each as a column with this check alone."""
    return [column for column, is_whole in _pandera_checks(kinds, schema) if is_whole]


def _check_column(frame: pd.DataFrame, column: Column, max_examples: int) -> RowFailures:
    from pipeline.schema import Schema, Target

    schema = Schema("column", (column,), Target("target", ("a", "b"), "a"))
    return check_with_pandera(frame, schema, max_examples=max_examples, with_target=False)


def _checked_columns(kinds: Mapping[str, ColumnKind], schema: Schema) -> Iterator[Column]:
    target = schema.target
    yield from (column for column in schema.columns if column.name in kinds)
    if target.unlabeled == "refuse" and target.column in kinds:
        yield Column(target.column, "category", "category", checks={"isin": list(target.classes)})


def _arrow_rules(kinds: Mapping[str, ColumnKind], schema: Schema) -> Iterator[_ArrowRule]:
    for column in _checked_columns(kinds, schema):
        if not column.nullable:
            yield _ArrowRule(column.name, "missing", _missing_violations)
        for constraint in column.constraints:
            if constraint.has_arrow_form:
                yield _ArrowRule(column.name, constraint.name, constraint.violations)


def _missing_violations(array: pa.Array) -> NDArray[np.bool_] | None:
    return is_missing(array) if array.null_count else None


def _pandera_checks(kinds: Mapping[str, ColumnKind], schema: Schema) -> Iterable[tuple[Column, bool]]:
    """Yield a column for each check that only Pandera has, and whether the check is of the whole column."""
    for column in _checked_columns(kinds, schema):
        for constraint in column.constraints:
            if not constraint.has_arrow_form:
                checks = {constraint.name: column.checks[constraint.name]}
                checked = Column(column.name, column.kind, column.dtype, nullable=True, checks=checks)
                yield checked, not _is_of_values(constraint)


def _is_of_values(constraint: Constraint) -> bool:
    return constraint.is_per_value or bool(constraint.pandera().element_wise)
